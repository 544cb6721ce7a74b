//! Headers of segments and frames, from any bytes.

use super::input::Input;
use crate::contracts::Lsn;
use crate::journal::bytes::{FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};

/// What is accepted as a header is what would be written for what it says.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let mend = input.byte();
    let mut bytes = input.rest().to_vec();
    // With its checksum mended, nothing but the header's own rules stands between the bytes and the reader.
    if mend & 1 == 1 && bytes.len() >= 40 {
        let crc = crc32c::crc32c(&bytes[..36]);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    }
    if let Some(header) = FrameHeader::decode(&bytes) {
        rewrite_frame(&header, &bytes);
    }
    if mend & 2 == 2 && bytes.len() >= SEGMENT_HEADER_LEN {
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    }
    if let Ok(header) = SegmentHeader::decode(&bytes) {
        assert_eq!(header.encode(), bytes[..SEGMENT_HEADER_LEN]);
    }
}

/// Writes the frame again that a header and its body were read from.
pub fn rewrite_frame(header: &FrameHeader, bytes: &[u8]) {
    let Some(body) = header.checked_body(bytes) else { return };
    let mut again = Vec::new();
    let written = match header.kind {
        FrameKind::Plan => {
            FrameHeader::append_plan(&mut again, header.lsn, header.durable_lsn, header.epoch, header.chain, body)
        }
        // A mark, seal or link says that all before it is durable: its reader checks that, its header alone does not.
        FrameKind::Mark | FrameKind::Seal | FrameKind::Link if header.durable_lsn == header.lsn => {
            FrameHeader::append_end(&mut again, header.kind, header.lsn, header.epoch, header.chain)
        }
        FrameKind::Mark | FrameKind::Seal | FrameKind::Link => return,
    };
    assert_eq!(written, *header);
    assert_eq!(again, bytes[..header.frame_len()]);
    assert!(header.lsn >= Lsn::ZERO);
}
