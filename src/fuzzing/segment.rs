//! A segment: what recovery reads out of it, whatever was done to it.

use std::ops::Range;

use super::edits::edit;
use super::frame::rewrite_frame;
use super::input::Input;
use crate::contracts::Lsn;
use crate::journal::StoreId;
use crate::journal::bytes::{FrameHeader, FrameKind, SEGMENT_HEADER_LEN, Scan, SegmentHeader, Step, Tail};

const EPOCH: u32 = 77;

/// A segment as the writer leaves it.
struct Written {
    header: SegmentHeader,
    bytes: Vec<u8>,
    /// Where each frame lies.
    frames: Vec<Range<usize>>,
}

/// Whatever the bytes are, the scan ends, and what it accepts is what would be written again. Damage hides nothing that
/// stands before it, and passes for nothing that was written.
pub fn segment(data: &[u8]) {
    let mut input = Input::new(data);
    let (mode, edits) = (input.byte() % 4, input.byte() % 8);
    if mode == 0 {
        let bytes = input.rest();
        let header = SegmentHeader { epoch: EPOCH, store_id: StoreId::from_bytes([9; 16]), base_lsn: Lsn(1), chain: 0 };
        let header = SegmentHeader::decode(bytes).unwrap_or(header);
        scan(&header, bytes);
        return;
    }
    let mut written = write(&mut input);
    let original = written.bytes.clone();
    let mut first_changed = written.bytes.len();
    for _ in 0..edits {
        first_changed = first_changed.min(edit(&mut written.bytes, &mut input));
        if mode == 3 {
            first_changed = first_changed.min(mend(&mut written, &mut input));
        }
    }
    let accepted = scan(&written.header, &written.bytes);
    let untouched = written.frames.iter().take_while(|frame| frame.end <= first_changed).count();
    assert!(accepted.len() >= untouched, "damage at {first_changed} hides frames that stand before it");
    if mode != 3 {
        for (frame, place) in accepted.iter().zip(&written.frames) {
            assert_eq!(frame, place, "frames lie elsewhere");
            assert_eq!(written.bytes[frame.clone()], original[place.clone()], "other bytes pass for what was written");
        }
    }
}

/// Some batches of frames, perhaps a seal, and room behind them.
fn write(input: &mut Input<'_>) -> Written {
    let base_lsn = Lsn(1 + input.number() % (u64::MAX / 2));
    let chain = input.u32();
    let header = SegmentHeader { epoch: EPOCH, store_id: StoreId::from_bytes([9; 16]), base_lsn, chain };
    let (mut bytes, mut frames, mut chain) = (header.encode(), Vec::new(), chain);
    let before = Lsn(base_lsn.0 - 1);
    let (mut lsn, mut durable_lsn) = (before, before);
    for _ in 0..input.below(8) {
        let start = bytes.len();
        let len = input.below(200) + 1;
        let body: Vec<u8> = (0..len).map(|index| index as u8 ^ lsn.0 as u8).collect();
        let written = FrameHeader::append_plan(&mut bytes, lsn.next(), durable_lsn, EPOCH, chain, &body);
        frames.push(start..bytes.len());
        (lsn, chain) = (lsn.next(), written.header_crc);
        let proof = input.byte();
        if proof.is_multiple_of(2) {
            durable_lsn = lsn;
        }
        if proof.is_multiple_of(8) {
            let start = bytes.len();
            FrameHeader::append_end(&mut bytes, FrameKind::Mark, lsn, EPOCH, chain);
            frames.push(start..bytes.len());
        }
    }
    let end = input.byte();
    if end.is_multiple_of(4) {
        let start = bytes.len();
        let kind = if end.is_multiple_of(8) { FrameKind::Link } else { FrameKind::Seal };
        FrameHeader::append_end(&mut bytes, kind, lsn, EPOCH, chain);
        frames.push(start..bytes.len());
    }
    bytes.resize(bytes.len() + input.below(128), 0);
    Written { header, bytes, frames }
}

/// Gives the header, and if the input says so the body, of a frame their checksums again.
fn mend(written: &mut Written, input: &mut Input<'_>) -> usize {
    let choice = input.below(written.frames.len() + 1);
    let Some(frame) = written.frames.get(choice).filter(|frame| frame.end <= written.bytes.len()) else {
        return usize::MAX;
    };
    let bytes = &mut written.bytes[frame.clone()];
    if input.byte().is_multiple_of(2)
        && let Some(header) = FrameHeader::decode(bytes)
    {
        let body = bytes.get(40..40 + header.body_len).map_or(0, crc32c::crc32c);
        bytes[32..36].copy_from_slice(&body.to_le_bytes());
    }
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    frame.start
}

/// Reads all there is, and checks what holds for any bytes. Gives where the accepted frames lie.
fn scan(header: &SegmentHeader, bytes: &[u8]) -> Vec<Range<usize>> {
    let mut scan = Scan::new(header, bytes);
    let mut accepted: Vec<Range<usize>> = Vec::new();
    loop {
        let (start, lsn, chain) = (scan.offset, scan.last_lsn, scan.chain);
        assert!(start == accepted.last().map_or(SEGMENT_HEADER_LEN, |frame| frame.end));
        let sealed = match scan.step() {
            Step::Unreadable | Step::Unknown(_) => break,
            Step::Seal | Step::Link => {
                assert_eq!(scan.last_lsn, lsn);
                true
            }
            Step::Mark => {
                assert_eq!((scan.last_lsn, scan.proven_lsn), (lsn, lsn));
                false
            }
            Step::Plan { lsn: read, offset, body } => {
                assert_eq!((read, offset, scan.last_lsn), (lsn.next(), start, read));
                assert!(!body.is_empty());
                false
            }
        };
        assert!(scan.offset > start && scan.offset <= bytes.len());
        assert!(scan.proven_lsn <= scan.last_lsn, "a frame cannot prove what comes after it");
        let decoded = FrameHeader::decode(&bytes[start..]).unwrap();
        assert_eq!((decoded.epoch, decoded.chain), (header.epoch, chain), "a frame of another place");
        rewrite_frame(&decoded, &bytes[start..]);
        accepted.push(start..scan.offset);
        if sealed {
            break;
        }
    }
    let rest = bytes.get(scan.offset..).unwrap_or_default();
    match scan.tail() {
        Tail::Unwritten => assert!(rest.iter().all(|byte| *byte == 0)),
        Tail::Torn => assert!(rest.iter().any(|byte| *byte != 0)),
        Tail::Damaged { proof_offset } => {
            let proof = FrameHeader::decode(&bytes[proof_offset..]).unwrap();
            assert!(proof.durable_lsn >= scan.last_lsn.next());
        }
    }
    accepted
}
