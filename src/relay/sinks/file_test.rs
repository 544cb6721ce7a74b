use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::contracts::{EventPlace, Sequence};
use crate::relay::testing::lines;

const BATCH_BYTES_MAX: usize = 1 << 20;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("events.ndjson")
    }

    fn sink(&self) -> FileSink {
        let mut sink = FileSink::new(self.path(), BATCH_BYTES_MAX);
        sink.open(TargetMark::default()).ok();
        sink
    }

    fn contents(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}

fn deliver(sink: &mut FileSink, first: u64, last: u64) -> Result<(), SinkError> {
    sink.open(TargetMark::default())?;
    sink.deliver(&delivery(&lines(first, last), first, last))?;
    sink.sync().map(drop)
}

fn delivery(lines: &[u8], first: u64, last: u64) -> Delivery<'_> {
    let events = usize::try_from(last - first + 1).unwrap();
    Delivery { lines, events, first: Sequence(first), last: Sequence(last) }
}

/// How many events of `first` to `last` the file holds, going on from `saved`, and what the file is then.
fn held(folder: &Folder, saved: TargetMark, first: u64, last: u64) -> (usize, Vec<u8>) {
    let mut sink = FileSink::new(folder.path(), BATCH_BYTES_MAX);
    assert!(matches!(sink.open(saved).unwrap(), Opened::Resumed(_)));
    let held = sink.held(&delivery(&lines(first, last), first, last)).unwrap();
    assert_eq!(
        held.bytes,
        lines(first, last).split_inclusive(|b| *b == b'\n').take(held.events).map(<[u8]>::len).sum::<usize>()
    );
    (held.events, folder.contents())
}

#[test]
fn events_are_appended_one_a_line_also_after_a_restart() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 3).unwrap();
    deliver(&mut sink, 4, 4).unwrap();
    drop(sink);
    deliver(&mut folder.sink(), 5, 9).unwrap();
    assert_eq!(folder.contents(), lines(1, 9));
}

#[test]
fn the_file_is_there_before_the_first_event_and_only_its_owner_reads_it() {
    let folder = Folder::new();
    let _sink = folder.sink();
    let mode = std::fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_torn_last_line_is_cut_at_start() {
    let folder = Folder::new();
    let torn = [lines(1, 3), lines(4, 4)[..200].to_vec()].concat();
    std::fs::write(folder.path(), torn).unwrap();
    let mut sink = folder.sink();
    assert_eq!(folder.contents(), lines(1, 3));
    deliver(&mut sink, 4, 5).unwrap();
    assert_eq!(folder.contents(), lines(1, 5));
}

#[test]
fn what_a_power_cut_lost_is_cut_at_start() {
    let folder = Folder::new();
    std::fs::write(folder.path(), [lines(1, 3), vec![0; 5000]].concat()).unwrap();
    deliver(&mut folder.sink(), 4, 5).unwrap();
    assert_eq!(folder.contents(), lines(1, 5));
}

#[test]
fn what_was_lost_of_a_batch_larger_than_any_today_is_cut_too() {
    let folder = Folder::new();
    let lost = usize::try_from(TAIL_BYTES_MIN).unwrap() - lines(3, 3).len();
    std::fs::write(folder.path(), [lines(1, 3), vec![0; lost]].concat()).unwrap();
    deliver(&mut FileSink::new(folder.path(), 1), 4, 5).unwrap();
    assert!(folder.contents() == lines(1, 5));
}

#[test]
fn an_error_says_what_was_tried_and_on_what() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "").unwrap();
    let below = folder.path().join("events.ndjson");
    let error = deliver(&mut FileSink::new(below.clone(), 1), 1, 1).unwrap_err();
    assert_eq!((error.operation, error.target), ("look at", below.display().to_string()));
}

#[test]
fn a_long_file_is_judged_by_its_end() {
    let folder = Folder::new();
    let mut file = File::create(folder.path()).unwrap();
    let block = lines(1, 1000);
    while file.metadata().unwrap().len() < 2 * TAIL_BYTES_MIN {
        file.write_all(&block).unwrap();
    }
    let whole_bytes = file.metadata().unwrap().len();
    file.write_all(&block[..100]).unwrap();
    let _sink = folder.sink();
    assert_eq!(std::fs::metadata(folder.path()).unwrap().len(), whole_bytes);
}

#[test]
fn a_file_that_ends_in_something_else_is_left_alone_until_somebody_mends_it() {
    let folder = Folder::new();
    let other = b"a note without an end".to_vec();
    std::fs::write(folder.path(), &other).unwrap();
    let mut sink = folder.sink();
    for _ in 0..2 {
        let error = deliver(&mut sink, 1, 2).unwrap_err().to_string();
        assert!(error.contains("events.ndjson") && error.contains("byte 0"), "{error}");
        assert_eq!(folder.contents(), other);
    }
    std::fs::write(folder.path(), [&other[..], b"\n"].concat()).unwrap();
    deliver(&mut sink, 1, 2).unwrap();
    assert_eq!(folder.contents(), [&other[..], b"\n", &lines(1, 2)].concat());
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let folder = Folder::new();
    for other in [[b"SQLite format 3\0".as_slice(), &[0; 8192]].concat(), vec![b'x'; 5000], vec![0; 8 << 20]] {
        std::fs::write(folder.path(), &other).unwrap();
        let mut sink = folder.sink();
        deliver(&mut sink, 1, 2).unwrap_err();
        assert!(folder.contents() == other);
        std::fs::remove_file(folder.path()).unwrap();
        deliver(&mut sink, 1, 2).unwrap();
        assert_eq!(folder.contents(), lines(1, 2));
    }
}

#[test]
fn garbage_behind_our_own_lines_is_cut() {
    let folder = Folder::new();
    std::fs::write(folder.path(), [lines(1, 3).as_slice(), b"\xff\xfe"].concat()).unwrap();
    deliver(&mut folder.sink(), 4, 4).unwrap();
    assert_eq!(folder.contents(), lines(1, 4));
}

#[test]
fn folders_and_pipes_are_refused_without_waiting_for_a_reader() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path()).unwrap();
    let error = deliver(&mut folder.sink(), 1, 1).unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
    std::fs::remove_dir(folder.path()).unwrap();
    let mut sink = folder.sink();
    std::fs::remove_file(folder.path()).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, folder.path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let error = deliver(&mut sink, 1, 1).unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
}

#[test]
fn a_file_that_another_sink_writes_is_neither_cut_nor_written() {
    let folder = Folder::new();
    let mut first = folder.sink();
    deliver(&mut first, 1, 2).unwrap();
    std::fs::OpenOptions::new().append(true).open(folder.path()).unwrap().write_all(&lines(3, 3)[..50]).unwrap();
    let before = folder.contents();
    let mut second = folder.sink();
    let error = deliver(&mut second, 3, 3).unwrap_err();
    assert!(error.to_string().contains("another sink or process"), "{error}");
    assert_eq!(folder.contents(), before);
    drop(first);
    deliver(&mut second, 3, 3).unwrap();
    assert_eq!(folder.contents(), lines(1, 3));
}

#[test]
fn reopening_a_file_that_was_not_renamed_goes_on_in_it() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 2).unwrap();
    sink.reopen();
    deliver(&mut sink, 3, 4).unwrap();
    assert_eq!(folder.contents(), lines(1, 4));
}

#[test]
fn a_folder_that_comes_later_is_used_when_it_is_there() {
    let folder = Folder::new();
    let path = folder.0.path().join("later").join("events.ndjson");
    let mut sink = FileSink::new(path.clone(), BATCH_BYTES_MAX);
    assert_eq!(deliver(&mut sink, 1, 1).unwrap_err().source.kind(), io::ErrorKind::NotFound);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    deliver(&mut sink, 1, 1).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), lines(1, 1));
}

#[test]
fn a_renamed_file_is_written_on_until_reopen() {
    let folder = Folder::new();
    let rotated = folder.0.path().join("events.1");
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 2).unwrap();
    std::fs::rename(folder.path(), &rotated).unwrap();
    deliver(&mut sink, 3, 4).unwrap();
    assert!(!folder.path().exists());
    sink.reopen();
    deliver(&mut sink, 5, 6).unwrap();
    assert_eq!((std::fs::read(rotated).unwrap(), folder.contents()), (lines(1, 4), lines(5, 6)));
}

#[test]
fn a_removed_file_is_created_again() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 2).unwrap();
    std::fs::remove_file(folder.path()).unwrap();
    deliver(&mut sink, 3, 4).unwrap();
    assert_eq!(folder.contents(), lines(3, 4));
}

#[test]
fn a_file_that_is_emptied_in_place_is_appended_to_from_its_start() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 2).unwrap();
    File::options().write(true).open(folder.path()).unwrap().set_len(0).unwrap();
    deliver(&mut sink, 3, 4).unwrap();
    assert_eq!(folder.contents(), lines(3, 4));
}

#[test]
fn cutting_back_never_extends() {
    let folder = Folder::new();
    std::fs::write(folder.path(), lines(1, 2)).unwrap();
    let file = File::options().append(true).open(folder.path()).unwrap();
    cut_back(&file, 1 << 30).unwrap();
    assert_eq!(folder.contents(), lines(1, 2));
    cut_back(&file, lines(1, 1).len() as u64).unwrap();
    assert_eq!(folder.contents(), lines(1, 1));
}

/// Real partial writes: a file-size limit, in a process of its own, which is this test again.
#[test]
fn a_write_that_fails_half_way_leaves_no_torn_line() {
    const TEST: &str = "relay::sinks::file::tests::a_write_that_fails_half_way_leaves_no_torn_line";
    const IN_CHILD: &str = "ORDERD_TEST_FILE_SIZE_LIMIT";
    if std::env::var_os(IN_CHILD).is_some() {
        return fill_to_the_limit();
    }
    // Without the trap the signal that comes with the limit would end the process.
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(IN_CHILD, "1")
        .output()
        .expect("sh is there");
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed") && said.contains("the limit was met"), "{said}");
}

fn fill_to_the_limit() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    let mut last = 0;
    let error = loop {
        match deliver(&mut sink, last + 1, last + 7) {
            Ok(()) => last += 7,
            Err(error) => break error,
        }
        assert!(last < 1000, "the limit does not hold");
    };
    assert_eq!((error.operation, error.source.kind()), ("write", io::ErrorKind::FileTooLarge));
    assert_eq!(folder.contents(), lines(1, last));
    deliver(&mut sink, last + 1, last + 7).unwrap_err();
    assert_eq!(folder.contents(), lines(1, last));
    // The rotated file is full, the new one is not.
    std::fs::rename(folder.path(), folder.0.path().join("events.1")).unwrap();
    sink.reopen();
    deliver(&mut sink, last + 1, last + 7).unwrap();
    assert_eq!(folder.contents(), lines(last + 1, last + 7));
    println!("the limit was met");
}

#[test]
fn a_kill_repeats_no_line() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    sink.deliver(&delivery(&lines(1, 3), 1, 3)).unwrap();
    let saved = sink.sync().unwrap();
    sink.deliver(&delivery(&lines(4, 6), 4, 6)).unwrap();
    drop(sink);
    let mut sink = FileSink::new(folder.path(), BATCH_BYTES_MAX);
    sink.open(saved).unwrap();
    assert_eq!(sink.held(&delivery(&lines(4, 5), 4, 5)).unwrap().events, 2);
    assert_eq!(sink.sync().unwrap().len, lines(1, 5).len() as u64, "the mark is where the comparison is");
    let rest = lines(6, 8);
    let held = sink.held(&delivery(&rest, 6, 8)).unwrap();
    assert_eq!(held.events, 1);
    sink.deliver(&delivery(&rest[held.bytes..], 7, 8)).unwrap();
    assert_eq!(folder.contents(), lines(1, 8));
}

#[test]
fn what_is_not_the_next_line_is_cut_and_lines_of_others_and_of_earlier_epochs_stay() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    sink.deliver(&delivery(&lines(1, 3), 1, 3)).unwrap();
    let saved = sink.sync().unwrap();
    drop(sink);
    let put = |rest: &[u8]| std::fs::write(folder.path(), [&lines(1, 3), rest].concat()).unwrap();
    put(&[lines(4, 4), lines(6, 7)].concat());
    assert_eq!(held(&folder, saved, 4, 7), (1, lines(1, 4)), "event 5 is missing");
    let noted = [&lines(4, 4)[..], b"a note\n", &lines(5, 5)].concat();
    put(&noted);
    assert_eq!(held(&folder, saved, 4, 7), (2, [lines(1, 3), noted].concat()));
    let long = [vec![b'x'; 300_000], b"\n".to_vec(), lines(4, 5)].concat();
    put(&long);
    assert_eq!(held(&folder, saved, 4, 7), (2, [lines(1, 3), long].concat()));
    let text = String::from_utf8(lines(6, 7)).unwrap();
    let earlier = text.replace("\"storeepoch\":1", "\"storeepoch\":0").into_bytes();
    put(&earlier);
    assert_eq!(held(&folder, saved, 4, 7), (0, [lines(1, 3), earlier].concat()));
    put(&[lines(4, 5), lines(6, 6)[..99].to_vec()].concat());
    assert_eq!(held(&folder, saved, 4, 7), (2, lines(1, 5)), "a torn line is cut");
}

#[test]
fn another_file_holds_nothing_and_one_that_is_shorter_than_saved_tells_its_last_event() {
    let folder = Folder::new();
    let mut sink = folder.sink();
    deliver(&mut sink, 1, 3).unwrap();
    let saved = sink.sync().unwrap();
    drop(sink);
    let open = |saved| FileSink::new(folder.path(), BATCH_BYTES_MAX).open(saved).unwrap();
    assert!(matches!(open(saved), Opened::Resumed(_)));
    let last = Some(EventPlace { epoch: 1, sequence: Sequence(3) });
    assert_eq!(open(TargetMark { len: saved.len + 1, ..saved }), Opened::Cut { mark: saved, last });
    assert!(matches!(open(TargetMark { inode: saved.inode + 1, ..saved }), Opened::Changed(_)));
    assert!(matches!(open(TargetMark::default()), Opened::Changed(_)));
}
