//! The table as CSV, with all digits, and as Markdown, rounded for people.

use super::tally::{Metric, Row};

/// The table as CSV (RFC 4180, with line feeds); what was not measured is empty.
pub fn csv(rows: &[Row]) -> String {
    let metrics: Vec<&str> = Metric::ALL.iter().map(|metric| metric.id()).collect();
    let mut text = format!("family,method,pairs,{},l1_of_copy\n", metrics.join(","));
    for row in rows {
        let told = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
        let numbers: Vec<String> = Metric::ALL.iter().map(|metric| told(row.means.get(*metric))).collect();
        let fields =
            [quoted(&row.family), quoted(&row.method), row.pairs.to_string(), numbers.join(","), told(row.l1_of_copy)];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

/// A column of the Markdown table: its heading, and what it says of a row.
type Column = (&'static str, fn(&Row) -> Option<String>);

const COLUMNS: [Column; 10] = [
    ("L1 ↓", |row| row.means.get(Metric::L1).map(|v| format!("{v:.4}"))),
    ("L1, copy = 100 % ↓", |row| row.l1_of_copy.map(|v| format!("{:.0} %", v * 100.0))),
    ("L2 ↓", |row| row.means.get(Metric::L2).map(|v| format!("{v:.4}"))),
    ("PSNR ↑", |row| row.means.get(Metric::Psnr).map(|v| format!("{v:.2}"))),
    ("SSIM ↑", |row| row.means.get(Metric::Ssim).map(|v| format!("{:.2}", v * 100.0))),
    ("LPIPS ↓", |row| row.means.get(Metric::Lpips).map(|v| format!("{v:.3}"))),
    ("DINO ↑", |row| row.means.get(Metric::Dino).map(|v| format!("{:.2}", v * 100.0))),
    ("CVS ↑", |row| row.means.get(Metric::Cvs).map(|v| format!("{:.2}", v * 100.0))),
    ("CTS ↑", |row| row.means.get(Metric::Cts).map(|v| format!("{:.2}", v * 100.0))),
    ("names it ↑", |row| row.means.get(Metric::Named).map(|v| format!("{:.0} %", v * 100.0))),
];

/// The table in Markdown. Similarities are in percent, as in the paper; columns that say nothing of any row are left
/// out.
pub fn markdown(rows: &[Row]) -> String {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|(_, say)| rows.iter().any(|row| say(row).is_some())).collect();
    let mut text = String::from("| edits | method |");
    columns.iter().for_each(|(heading, _)| text.push_str(&format!(" {heading} |")));
    text.push_str(&format!("\n|---|---|{}\n", "--:|".repeat(columns.len())));
    let mut family = None;
    for row in rows {
        // A family's name stands in its first row only.
        let first = family.replace(&row.family) != Some(&row.family);
        let named = if first { format!("{} ({})", row.family.replace('_', " "), row.pairs) } else { String::new() };
        text.push_str(&format!("| {} | {} |", escaped(&named), escaped(&row.method)));
        columns.iter().for_each(|(_, say)| text.push_str(&format!(" {} |", say(row).unwrap_or_else(|| "–".into()))));
        text.push('\n');
    }
    text
}

fn escaped(cell: &str) -> String {
    cell.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tally::{Numbers, Tally};

    fn rows() -> Vec<Row> {
        let (mut copy, mut other) = (Numbers::default(), Numbers::default());
        copy.set(Metric::L1, 0.25);
        other.set(Metric::L1, 0.0625);
        other.set(Metric::Ssim, 0.98765);
        other.set(Metric::Named, 1.0);
        let mut tally = Tally::new(vec!["copy".into(), "a | \"b\", c".into()]);
        tally.add(Some("must_see"), &[copy, other]);
        tally.rows()
    }

    #[test]
    fn the_csv_has_every_column_and_quotes_what_needs_it() {
        let text = csv(&rows());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "family,method,pairs,l1,l2,psnr,ssim,lpips,dino,cvs,cts,named,l1_of_copy");
        assert_eq!(lines[1], "must_see,copy,1,0.25,,,,,,,,,1");
        assert_eq!(lines[2], "must_see,\"a | \"\"b\"\", c\",1,0.0625,,,0.98765,,,,,1,0.25");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_markdown_leaves_out_what_was_not_measured() {
        let text = markdown(&rows());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "| edits | method | L1 ↓ | L1, copy = 100 % ↓ | SSIM ↑ | names it ↑ |");
        assert_eq!(lines[1], "|---|---|--:|--:|--:|--:|");
        assert_eq!(lines[2], "| must see (1) | copy | 0.2500 | 100 % | – | – |");
        assert_eq!(lines[3], "|  | a \\| \"b\", c | 0.0625 | 25 % | 98.77 | 100 % |");
    }
}
