//! Numbers with their units, for people.

/// A time in two units: "2 d 3 h", "4 min 5 s", "6 s", "7 ms".
pub(super) fn duration(ms: u64) -> String {
    let (s, min, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    let d = h / 24;
    match (d, h, min, s) {
        (1.., ..) => format!("{d} d {} h", h % 24),
        (0, 1.., ..) => format!("{h} h {} min", min % 60),
        (0, 0, 1.., _) => format!("{min} min {} s", s % 60),
        (0, 0, 0, 1..) => format!("{s} s"),
        (0, 0, 0, 0) => format!("{ms} ms"),
    }
}

/// Bytes: "1.5 KiB".
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    count(bytes, "byte")
}

/// A count of things: "1 event", "2 events".
pub(super) fn count(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sizes_and_counts_are_short() {
        let times = [(0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (61_000, "1 min 1 s"), (3_600_000, "1 h 0 min")];
        for (ms, text) in times {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(duration(90_000_000), "1 d 1 h");
        let sizes = [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (67_108_864, "64.0 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
        assert_eq!((count(0, "event"), count(1, "event")), ("0 events".into(), "1 event".into()));
    }
}
