//! Folders of the simulated disk, for copies of whole stores.

use std::io;

use orderd::contracts::{EntryKind, Folders};

use super::File;
use super::faults::{Call, no_space};
use super::file::FileOp;
use super::handle::untouched;
use super::machine::{Machine, SimDisk};
use super::tree::{Dir, DirOp, Node};

impl Folders for SimDisk {
    fn kind(&self, path: &str) -> io::Result<Option<EntryKind>> {
        let act = |machine: &mut Machine| {
            if machine.tree.dir_of(path).is_ok() {
                return Ok(Some(EntryKind::Folder));
            }
            Ok(machine.tree.file_of(path).is_ok().then_some(EntryKind::File))
        };
        self.by_path(Call::List, path, act, untouched)
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let (parent, name) = machine.tree.parent(path)?;
            is_free(machine, path)?;
            let inode = machine.tree.add(Node::Dir(Dir::default()));
            machine.tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            Ok(())
        };
        self.by_path(Call::CreateDir, path, act, untouched)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let inode = machine.tree.dir_of(path)?;
            if !machine.tree.dir(inode)?.cache.is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            let (parent, name) = machine.tree.parent(path)?;
            machine.tree.dir_mut(parent)?.act(DirOp::Unlink(name.to_owned()));
            Ok(())
        };
        self.by_path(Call::Remove, path, act, untouched)
    }

    fn clone_file(&self, from: &str, to: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            if !machine.faults.clones_files {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let (parent, name) = machine.tree.parent(to)?;
            is_free(machine, to)?;
            let original = machine.tree.file_of(from)?;
            let bytes = machine.tree.file(original)?.cache.to_bytes();
            if bytes.len() as u64 > machine.free_bytes() {
                return Err(no_space());
            }
            let mut copy = File::default();
            copy.act(FileOp::Write(0, bytes.into()));
            let inode = machine.tree.add(Node::File(copy));
            machine.tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            Ok(())
        };
        self.by_path(Call::Create, to, act, untouched)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let (parent, name) = machine.tree.parent(to)?;
            is_free(machine, to)?;
            let inode = machine.tree.file_of(from)?;
            machine.tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            Ok(())
        };
        self.by_path(Call::Create, to, act, untouched)
    }

    /// Nobody else is here.
    fn give_to_owner_of(&self, _like: &str, _path: &str) -> io::Result<()> {
        Ok(())
    }
}

fn is_free(machine: &Machine, path: &str) -> io::Result<()> {
    let is_taken = machine.tree.dir_of(path).is_ok() || machine.tree.file_of(path).is_ok();
    if is_taken { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
}
