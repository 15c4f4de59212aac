//! Whether a JPEG file is whole. Decoders fill what is missing from a cut-off file with grey; a half picture must not go
//! on as if it were one, so the file's markers are walked to its end before it is decoded.
//!
//! Source: ITU-T T.81, annex B.

/// Whether the markers lead from the first byte to the end-of-image marker.
pub fn reaches_its_end(file: &[u8]) -> bool {
    const END: u8 = 0xD9;
    let mut rest = file;
    loop {
        // Entropy-coded data lies between markers: 0xFF followed by 0 is a byte of it, by another 0xFF is fill.
        let Some(at) = rest.iter().position(|&byte| byte == 0xFF) else { return false };
        let Some((&marker, behind)) = rest.get(at + 1..).and_then(<[u8]>::split_first) else { return false };
        rest = match marker {
            END => return true,
            0xFF => rest.get(at + 1..).unwrap_or_default(),
            // Markers without a segment: stuffed zero, TEM, RST0..RST7, SOI.
            0x00 | 0x01 | 0xD0..=0xD8 => behind,
            _ => {
                let Some(&[high, low]) = behind.first_chunk::<2>() else { return false };
                let Some(next) = behind.get(usize::from(u16::from_be_bytes([high, low])).max(2)..) else {
                    return false;
                };
                next
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_inside_a_segment_such_as_a_thumbnail_is_not_the_end() {
        let whole = [0xFF, 0xD8, 0xFF, 0xE1, 0, 4, 0xFF, 0xD9, 0xFF, 0xDA, 0, 2, 7, 0xFF, 0, 0xFF, 0xD3, 9, 0xFF, 0xD9];
        assert!(reaches_its_end(&whole));
        for length in 0..whole.len() {
            assert!(!reaches_its_end(&whole[..length]), "cut to {length} bytes");
        }
    }
}
