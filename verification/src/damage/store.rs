//! A store that is going to be damaged, and what must be found in it.

use std::collections::BTreeMap;

use orderd::contracts::FeedPosition;
use orderd::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR, STORE_DIR};
use orderd::repo::cursor_format::Owner;
use orderd::repo::{cursor, cursor_format, lsn_of};
use uuid::Uuid;

use crate::daemon::Daemon;
use crate::disk::{Content, Tree};
use crate::environment::{Environment, STORE_ID};
use crate::model::Model;

/// A store, undamaged.
pub struct Store {
    /// How it came to its end.
    pub form: &'static str,
    /// Its files.
    pub files: Vec<StoredFile>,
    /// Files that were deleted, as they were last.
    pub gone: Vec<(String, Content)>,
    /// The same as a disk.
    pub tree: Tree,
    /// What must be found.
    pub model: Model,
    /// Where the cursors stand.
    pub sinks: Vec<Sink>,
    /// The newest checkpoint.
    pub checkpoint_lsn: u64,
    around: Environment,
}

/// A file, and what it was before.
pub struct StoredFile {
    /// Its path.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// What it has held, oldest first.
    pub earlier: Vec<Content>,
}

/// A sink's cursor.
pub struct Sink {
    /// The cursor's path.
    pub path: String,
    /// The newer slot.
    pub newest: FeedPosition,
    /// The other one.
    pub older: FeedPosition,
}

impl Store {
    /// A store as `around` has left it; `held` is what its files have held.
    pub(super) fn new(
        form: &'static str,
        around: &Environment,
        model: Model,
        held: &BTreeMap<String, Vec<Content>>,
    ) -> Result<Self, String> {
        let contents = around.disk.tree().contents();
        let tree = tree_of(&contents)?;
        let earlier = |path: &String, now: &Content| {
            let all = held.get(path).into_iter().flatten();
            all.filter(|content| *content != now).cloned().collect()
        };
        let files = contents.iter().map(|(path, content)| StoredFile {
            path: path.clone(),
            content: content.clone(),
            earlier: earlier(path, content),
        });
        let is_gone = |path: &&String| path.starts_with(STORE_DIR) && !contents.contains_key(*path);
        let gone = held.keys().filter(is_gone).filter(|path| !path.ends_with(".tmp") && !path.contains(".tmp/"));
        let gone = gone.filter_map(|path| Some((path.clone(), held.get(path)?.last()?.clone()))).collect();
        let mut store = Self {
            form,
            files: files.collect(),
            gone,
            // Copies: the story goes on.
            around: around.fork(tree.clone()),
            tree,
            model,
            sinks: Vec::new(),
            checkpoint_lsn: 0,
        };
        store.sinks = around.sinks.iter().map(|sink| sink_of(&sink.name, &contents)).collect::<Result<_, _>>()?;
        store.check()?;
        Ok(store)
    }

    /// It must be worth damaging.
    fn check(&mut self) -> Result<(), String> {
        let below = |dir: &str| self.files.iter().filter(|file| file.path.starts_with(dir)).count();
        let counts = (below(JOURNAL_DIR), below(CHECKPOINTS_DIR), below(CURSORS_DIR));
        let around = self.around(self.tree.clone());
        let daemon = Daemon::start(&around).map_err(|error| format!("undamaged: {error:?}"))?;
        self.checkpoint_lsn = daemon.report.checkpoint_lsn.0;
        let plans = self.model.plans.len() as u64;
        let caught_up = self.sinks.iter().any(|sink| sink.newest.sequence.0 == plans);
        let lags = self.sinks.iter().any(|sink| lsn_of(&sink.newest).0 + 10 < self.checkpoint_lsn);
        let remembered = self.model.remembered().len();
        let right = counts.0 >= 3 && counts.1 == 2 && counts.2 == 2 && self.len() >= 64 << 10;
        if right && caught_up && lags && remembered > 0 && !self.gone.is_empty() {
            return Ok(());
        }
        Err(format!("{counts:?} segments, checkpoints and cursors, {} bytes, {plans} plans", self.len()))
    }

    /// The bytes of all files.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.files.iter().map(|file| file.content.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Everything around a daemon over a copy of the store.
    #[must_use]
    pub fn around(&self, tree: Tree) -> Environment {
        self.around.fork(tree)
    }

    /// A disk that holds the files of this one, some of them changed.
    ///
    /// # Errors
    /// A directory is missing.
    pub fn with(&self, changed: &[(String, Option<Content>)]) -> Result<Tree, String> {
        let mut contents: BTreeMap<String, Content> =
            self.files.iter().map(|file| (file.path.clone(), file.content.clone())).collect();
        for (path, content) in changed {
            match content {
                Some(content) => contents.insert(path.clone(), content.clone()),
                None => contents.remove(path),
            };
        }
        tree_of(&contents)
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&StoredFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn tree_of(contents: &BTreeMap<String, Content>) -> Result<Tree, String> {
    let dirs = [STORE_DIR, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR];
    Tree::of(&dirs, contents).map_err(|error| format!("a directory is missing: {error}"))
}

fn sink_of(name: &str, contents: &BTreeMap<String, Content>) -> Result<Sink, String> {
    let path = cursor::path_of(name);
    let bytes = contents.get(&path).map(Content::to_bytes).unwrap_or_default();
    let slots = cursor_format::decode(&bytes, Owner::new(Uuid::from_bytes(STORE_ID), name))
        .map_err(|defect| format!("{defect:?}"))?;
    let older = slots.older.ok_or("a cursor has one slot only")?.position;
    Ok(Sink { path, newest: slots.newest.position, older })
}
