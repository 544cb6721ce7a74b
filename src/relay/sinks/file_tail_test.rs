use super::*;
use crate::relay::testing::lines;

fn torn(whole_bytes: usize) -> Tail {
    Tail::Torn { whole_bytes: whole_bytes as u64 }
}

fn foreign(offset: usize) -> Tail {
    Tail::Foreign { offset: offset as u64 }
}

#[test]
fn whole_lines_and_empty_files_are_whole() {
    for tail in [&b""[..], b"\n", b"a line of somebody else\n", &lines(1, 3)] {
        assert_eq!(classify(tail, 0), Tail::Whole);
        assert_eq!(classify(tail, 4096), Tail::Whole);
    }
}

#[test]
fn an_event_cut_at_any_byte_is_torn_behind_the_last_whole_line() {
    let (whole, all) = (lines(1, 2), lines(1, 3));
    for cut in whole.len() + 1..all.len() {
        assert_eq!(classify(&all[..cut], 0), torn(whole.len()), "cut at {cut}");
        assert_eq!(classify(&all[..cut], 1000), torn(1000 + whole.len()), "cut at {cut}");
    }
    for cut in 1..lines(1, 1).len() {
        assert_eq!(classify(&all[..cut], 0), torn(0), "cut at {cut}");
    }
}

#[test]
fn a_last_line_that_no_event_begins_with_is_ours_to_cut_only_behind_our_own() {
    let (ours, theirs) = (lines(1, 2), b"a log line\n{\"other\":1}\n");
    for partial in ["x", "{", "{\"specversion\":\"1.1\"", " {\"specversion\"", "{\"id\":1}", "a note"] {
        let behind = |whole: &[u8]| classify(&[whole, partial.as_bytes()].concat(), 0);
        assert_eq!(behind(&ours), torn(ours.len()), "{partial}");
        let expected = |at| if PREFIX.starts_with(partial) { torn(at) } else { foreign(at) };
        assert_eq!(behind(theirs), expected(theirs.len()), "{partial}");
        assert_eq!(behind(b""), expected(0), "{partial}");
    }
}

#[test]
fn a_line_that_began_before_what_was_read_is_not_ours_to_cut() {
    assert_eq!(classify(&lines(1, 1)[..100], 1), foreign(1));
    assert_eq!(classify(&[0; 512], 512), foreign(512));
}

#[test]
fn sectors_that_a_power_cut_lost_are_torn_from_the_first_of_them_on() {
    let (synced, all) = (lines(1, 4), lines(1, 40));
    let sectors = synced.len().div_ceil(512)..all.len() / 512;
    for lost in sectors {
        for until in [lost + 1, lost + 3, all.len().div_ceil(512)] {
            let mut file = all.clone();
            file[lost * 512..(until * 512).min(all.len())].fill(0);
            let whole = all[..lost * 512].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            assert_eq!(classify(&file, 0), torn(whole), "sectors {lost} to {until}");
        }
    }
    // From the end of what was synced on, wherever in a sector that is.
    let mut file = all.clone();
    file[synced.len()..].fill(0);
    assert_eq!(classify(&file, 0), torn(synced.len()));
    assert_eq!(classify(&[0; 700], 0), torn(0));
    // Up to the end of a sector of the file, wherever what was read of it begins.
    let end = (synced.len() / 512 + 2) * 512;
    file[end..].copy_from_slice(&all[end..]);
    for from in [0, 1, 100, synced.len() - 1] {
        let judged = |file: &[u8]| classify(&file[from..], from as u64);
        assert_eq!(judged(&file), torn(synced.len()), "read from {from}");
        let mut shifted = file.clone();
        shifted[end] = 0;
        assert_eq!(judged(&shifted), foreign(synced.len()), "read from {from}");
    }
}

#[test]
fn nul_bytes_of_another_program_are_not_ours_to_cut() {
    let wide: Vec<u8> = "a text in two bytes a character".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let whole = lines(1, 1);
    let binary = [&[0; 512][..], b"\x7fELF\x02\x01"].concat();
    for (tail, offset) in [
        (wide.clone(), 0),
        ([whole.as_slice(), &wide].concat(), whole.len()),
        ([b"SQLite format 3\0".as_slice(), &[0; 4080]].concat(), 0),
        (binary, 0),
    ] {
        assert_eq!(classify(&tail, 0), foreign(offset));
    }
}
