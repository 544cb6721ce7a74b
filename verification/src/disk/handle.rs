//! The calls, as the contract says.

use std::io;
use std::sync::Arc;

use orderd::contracts::{Storage, StorageFile};

use super::File;
use super::faults::{Call, no_space};
use super::file::{FileOp, apply, pieces};
use super::hook;
use super::machine::{Machine, Note, SimDisk};
use super::tree::{Dir, DirOp, Inode, Node};
use crate::fingerprint::Fingerprint;

struct SimFile {
    disk: SimDisk,
    inode: Inode,
    run: u64,
    path: Arc<str>,
}

/// A failing call that has no effect.
pub(super) fn untouched(_: &mut Machine, error: io::Error) -> io::Error {
    error
}

fn name_fact(path: &str) -> u64 {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_bytes(path.as_bytes());
    fingerprint.value()
}

impl SimDisk {
    pub(super) fn by_path<T>(
        &self,
        call: Call,
        path: &str,
        act: impl FnOnce(&mut Machine) -> io::Result<T>,
        fail: impl FnOnce(&mut Machine, io::Error) -> io::Error,
    ) -> io::Result<T> {
        let facts = [name_fact(path), 0, 0];
        let note = Note { call, run: None, facts, text: format_args!("{} {path}", call.name()) };
        self.call(&note, act, fail)
    }

    fn open_file(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.by_path(Call::Open, path, |machine| machine.tree.file_of(path), untouched)?;
        Ok(self.handle(path, inode))
    }

    fn handle(&self, path: &str, inode: Inode) -> Box<dyn StorageFile> {
        Box::new(SimFile { disk: self.clone(), inode, run: self.run(), path: path.into() })
    }
}

impl Storage for SimDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open_file(path)
    }

    fn open_read_only(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open_file(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        let act = |machine: &mut Machine| {
            let (parent, name) = machine.tree.parent(path)?;
            if let Ok(inode) = machine.tree.file_of(path) {
                machine.tree.file_mut(inode)?.act(FileOp::SetLen(0));
                return Ok(inode);
            }
            let inode = machine.tree.add(Node::File(File::default()));
            machine.tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            Ok(inode)
        };
        let inode = self.by_path(Call::Create, path, act, untouched)?;
        Ok(self.handle(path, inode))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            if machine.tree.dir_of(path).is_ok() {
                return Ok(());
            }
            let (parent, name) = machine.tree.parent(path)?;
            let inode = machine.tree.add(Node::Dir(Dir::default()));
            machine.tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            Ok(())
        };
        self.by_path(Call::CreateDir, path, act, untouched)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let act = |machine: &mut Machine| {
            let inode = machine.tree.dir_of(path)?;
            Ok(machine.tree.dir(inode)?.cache.keys().cloned().collect())
        };
        self.by_path(Call::List, path, act, untouched)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let (parent, name) = machine.tree.parent(from)?;
            let (target, new_name) = machine.tree.parent(to)?;
            if parent != target {
                return Err(io::Error::other("the simulated disk renames within one directory only"));
            }
            let dir = machine.tree.dir_mut(parent)?;
            let inode = *dir.cache.get(name).ok_or(io::ErrorKind::NotFound)?;
            dir.act(DirOp::Rename(name.to_owned(), new_name.to_owned(), inode));
            Ok(())
        };
        self.by_path(Call::Rename, from, act, untouched)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            machine.tree.file_of(path)?;
            let (parent, name) = machine.tree.parent(path)?;
            machine.tree.dir_mut(parent)?.act(DirOp::Unlink(name.to_owned()));
            Ok(())
        };
        self.by_path(Call::Remove, path, act, untouched)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let inode = machine.tree.dir_of(path)?;
            machine.tree.dir_mut(inode)?.sync();
            Ok(())
        };
        let fail = |machine: &mut Machine, error| {
            // Some of the changes got there; which, nobody knows.
            if let Ok(inode) = machine.tree.dir_of(path)
                && let Ok(dir) = machine.tree.dir_mut(inode)
            {
                let durable = machine.rng.index(dir.pending.len() + 1);
                for op in dir.pending.drain(..durable) {
                    super::tree::apply(&op, &mut dir.durable);
                }
            }
            error
        };
        self.by_path(Call::SyncDir, path, act, fail)
    }
}

impl SimFile {
    fn call<T>(
        &self,
        call: Call,
        (at, len, sum): (u64, u64, u64),
        act: impl FnOnce(&mut Machine) -> io::Result<T>,
        fail: impl FnOnce(&mut Machine, io::Error) -> io::Error,
    ) -> io::Result<T> {
        let facts = [(self.inode as u64) << 32 | at, len, sum];
        let text = format_args!("{} {} {at} +{len}", call.name(), self.path);
        self.disk.call(&Note { call, run: Some(self.run), facts, text }, act, fail)
    }

    /// Writes as much of `buf` as there is room for.
    fn write_what_fits(&self, machine: &mut Machine, buf: &[u8], offset: u64) -> io::Result<()> {
        let len = machine.tree.file(self.inode)?.cache.len();
        let growth = (offset + buf.len() as u64).saturating_sub(len);
        let missing = growth.saturating_sub(machine.free_bytes());
        let fitting = buf.len() - usize::try_from(missing).unwrap_or(buf.len()).min(buf.len());
        if fitting > 0 {
            machine.tree.file_mut(self.inode)?.act(FileOp::Write(offset, buf[..fitting].into()));
        }
        if fitting == buf.len() { Ok(()) } else { Err(no_space()) }
    }
}

impl StorageFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let wanted = (offset, buf.len() as u64, 0);
        self.call(Call::Read, wanted, |machine| Ok(machine.tree.file(self.inode)?.cache.read(buf, offset)), untouched)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let facts = (offset, buf.len() as u64, u64::from(crc32c::crc32c(buf)));
        let fail = |machine: &mut Machine, error| {
            let short = machine.rng.index(buf.len());
            drop(self.write_what_fits(machine, &buf[..short], offset));
            error
        };
        self.call(Call::Write, facts, |machine| self.write_what_fits(machine, buf, offset), fail)
    }

    fn sync_data(&self) -> io::Result<()> {
        hook::while_syncing();
        let act = |machine: &mut Machine| {
            machine.tree.file_mut(self.inode)?.sync();
            Ok(())
        };
        let fail = |machine: &mut Machine, error| {
            fail_sync(machine, self.inode);
            error
        };
        self.call(Call::Sync, (0, 0, 0), act, fail)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let extend = |machine: &mut Machine, room: u64| -> io::Result<()> {
            let file = machine.tree.file_mut(self.inode)?;
            let target = len.min(file.cache.len().saturating_add(room));
            file.act(FileOp::Extend(target));
            if target == len || file.cache.len() >= len { Ok(()) } else { Err(no_space()) }
        };
        let act = |machine: &mut Machine| {
            let room = machine.free_bytes();
            extend(machine, room)
        };
        let fail = |machine: &mut Machine, error| {
            let room = machine.free_bytes().min(len);
            let room = machine.rng.below(room + 1);
            drop(extend(machine, room));
            error
        };
        self.call(Call::Allocate, (0, len, 0), act, fail)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let act = |machine: &mut Machine| {
            let growth = len.saturating_sub(machine.tree.file(self.inode)?.cache.len());
            if growth > machine.free_bytes() {
                return Err(no_space());
            }
            machine.tree.file_mut(self.inode)?.act(FileOp::SetLen(len));
            Ok(())
        };
        self.call(Call::SetLen, (0, len, 0), act, untouched)
    }

    fn len(&self) -> io::Result<u64> {
        self.call(Call::Len, (0, 0, 0), |machine| Ok(machine.tree.file(self.inode)?.cache.len()), untouched)
    }

    fn drop_cache(&self) {
        let mut machine = self.disk.locked();
        if machine.faults.cache_hint_works
            && let Ok(file) = machine.tree.file_mut(self.inode)
        {
            file.drop_cache();
        }
    }
}

/// A part of what was pending gets to the medium. The rest stays pending, or is forgotten: clean, shown, and lost.
fn fail_sync(machine: &mut Machine, inode: Inode) {
    let forget = machine.faults.clean_but_lost;
    let Machine { tree, rng, .. } = machine;
    let Ok(file) = tree.file_mut(inode) else { return };
    for op in std::mem::take(&mut file.pending) {
        match &op {
            FileOp::Write(offset, bytes) => {
                for piece in pieces(*offset, bytes.len()).filter(|_| rng.percent(40)) {
                    file.durable.write(&bytes[piece.start..piece.start + piece.len], piece.offset);
                }
            }
            FileOp::SetLen(_) | FileOp::Extend(_) if rng.percent(50) => apply(&op, &mut file.durable),
            FileOp::SetLen(_) | FileOp::Extend(_) => {}
        }
        if !forget {
            file.pending.push(op);
        }
    }
    file.lost_pages |= forget;
}
