//! Names: directories whose changes are durable only after a sync of their own.

use std::collections::BTreeMap;
use std::io;

use super::{Content, File};
use crate::fingerprint::Fingerprint;

/// Names a file or directory, whatever it is called.
pub type Inode = usize;

/// The root directory.
pub const ROOT: Inode = 0;

/// A change of a directory's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirOp {
    /// A new entry.
    Link(String, Inode),
    /// An entry gone.
    Unlink(String),
    /// An entry under another name; atomic.
    Rename(String, String, Inode),
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub struct Dir {
    /// What a power cut cannot take back.
    pub durable: BTreeMap<String, Inode>,
    /// What the running system shows.
    pub cache: BTreeMap<String, Inode>,
    /// What was done since the last sync, oldest first.
    pub pending: Vec<DirOp>,
}

impl Dir {
    /// Changes what the running system shows.
    pub fn act(&mut self, op: DirOp) {
        apply(&op, &mut self.cache);
        self.pending.push(op);
    }

    /// Makes all changes durable.
    pub fn sync(&mut self) {
        for op in self.pending.drain(..) {
            apply(&op, &mut self.durable);
        }
    }
}

/// What `op` makes of `entries`.
pub fn apply(op: &DirOp, entries: &mut BTreeMap<String, Inode>) {
    match op {
        DirOp::Link(name, inode) => {
            entries.insert(name.clone(), *inode);
        }
        DirOp::Unlink(name) => {
            entries.remove(name);
        }
        DirOp::Rename(from, to, inode) => {
            entries.remove(from);
            entries.insert(to.clone(), *inode);
        }
    }
}

/// A file or a directory.
#[derive(Debug, Clone)]
pub enum Node {
    /// A file.
    File(File),
    /// A directory.
    Dir(Dir),
}

/// All files and directories of a disk.
#[derive(Debug, Clone)]
pub struct Tree {
    /// By inode; what has no name any more stays for its open handles.
    pub nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::Dir(Dir::default())] }
    }
}

impl Tree {
    /// A new file or directory, without a name.
    pub fn add(&mut self, node: Node) -> Inode {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The directory that holds `path`, and the name there.
    ///
    /// # Errors
    /// A part of the path is missing.
    pub fn parent<'a>(&self, path: &'a str) -> io::Result<(Inode, &'a str)> {
        match path.rsplit_once('/') {
            Some((parent, name)) => Ok((self.dir_of(parent)?, name)),
            None => Ok((ROOT, path)),
        }
    }

    /// The directory at `path`.
    ///
    /// # Errors
    /// It is missing.
    pub fn dir_of(&self, path: &str) -> io::Result<Inode> {
        let mut inode = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            inode = *self.dir(inode)?.cache.get(part).ok_or(io::ErrorKind::NotFound)?;
        }
        self.dir(inode).map(|_| inode)
    }

    /// The file at `path`.
    ///
    /// # Errors
    /// It is missing.
    pub fn file_of(&self, path: &str) -> io::Result<Inode> {
        let (parent, name) = self.parent(path)?;
        let inode = *self.dir(parent)?.cache.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.file(inode).map(|_| inode)
    }

    /// A directory.
    ///
    /// # Errors
    /// It is none.
    pub fn dir(&self, inode: Inode) -> io::Result<&Dir> {
        match &self.nodes[inode] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A directory, to be changed.
    ///
    /// # Errors
    /// It is none.
    pub fn dir_mut(&mut self, inode: Inode) -> io::Result<&mut Dir> {
        match &mut self.nodes[inode] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A file.
    ///
    /// # Errors
    /// It is none.
    pub fn file(&self, inode: Inode) -> io::Result<&File> {
        match &self.nodes[inode] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// A file, to be changed.
    ///
    /// # Errors
    /// It is none.
    pub fn file_mut(&mut self, inode: Inode) -> io::Result<&mut File> {
        match &mut self.nodes[inode] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// All files that have a name, with their paths.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Inode> {
        let mut found = BTreeMap::new();
        self.collect(ROOT, "", &mut found);
        found
    }

    fn collect(&self, inode: Inode, path: &str, found: &mut BTreeMap<String, Inode>) {
        match &self.nodes[inode] {
            Node::File(_) => {
                found.insert(path.to_owned(), inode);
            }
            Node::Dir(dir) => {
                for (name, child) in &dir.cache {
                    let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    self.collect(*child, &below, found);
                }
            }
        }
    }

    /// All files with a name, and what the running system shows of each.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<String, Content> {
        let shown = |inode: Inode| self.file(inode).map(|file| file.cache.clone()).unwrap_or_default();
        self.files().into_iter().map(|(path, inode)| (path, shown(inode))).collect()
    }

    /// A disk of these directories and files, all of it durable.
    ///
    /// # Errors
    /// A directory is named before the one that holds it, or not at all.
    pub fn of(dirs: &[&str], files: &BTreeMap<String, Content>) -> io::Result<Self> {
        let mut tree = Self::default();
        let dirs = dirs.iter().map(|path| (*path, Node::Dir(Dir::default())));
        let files = files.iter().map(|(path, content)| (path.as_str(), Node::File(File::durable(content.clone()))));
        for (path, node) in dirs.chain(files) {
            let (parent, name) = tree.parent(path)?;
            let inode = tree.add(node);
            tree.dir_mut(parent)?.act(DirOp::Link(name.to_owned(), inode));
            tree.dir_mut(parent)?.sync();
        }
        Ok(tree)
    }

    /// Takes a name out of the root, for good.
    pub fn remove_durably(&mut self, name: &str) {
        if let Node::Dir(root) = &mut self.nodes[ROOT] {
            root.act(DirOp::Unlink(name.to_owned()));
            root.sync();
        }
    }

    /// Whether some file shows pages that the medium never got.
    #[must_use]
    pub fn has_lost_pages(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::File(file) if file.lost_pages))
    }

    /// What the files with a name take.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        // A file of two names takes its room once.
        let mut files: Vec<_> = self.files().into_values().collect();
        files.sort_unstable();
        files.dedup();
        files.into_iter().map(|inode| self.file(inode).map_or(0, |file| file.cache.len())).sum()
    }

    /// Of all names and bytes that the running system shows.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut fingerprint = Fingerprint::default();
        self.add_to(ROOT, &mut fingerprint);
        fingerprint.value()
    }

    fn add_to(&self, inode: Inode, fingerprint: &mut Fingerprint) {
        match &self.nodes[inode] {
            Node::File(file) => {
                fingerprint.add(1);
                file.cache.add_to(fingerprint);
            }
            Node::Dir(dir) => {
                fingerprint.add(2 + dir.cache.len() as u64);
                for (name, child) in &dir.cache {
                    fingerprint.add_bytes(name.as_bytes());
                    self.add_to(*child, fingerprint);
                }
            }
        }
    }
}
