//! Means of metrics over the pairs of each family, method by method.

use mgie_training::scenes::Family;

/// The family that holds every pair.
pub const ALL: &str = "all";

/// A metric of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Mean absolute difference.
    L1,
    /// Mean squared difference.
    L2,
    /// In dB.
    Psnr,
    /// Structural similarity.
    Ssim,
    /// Learned perceptual distance.
    Lpips,
    /// DINO similarity.
    Dino,
    /// CLIP similarity to the goal.
    Cvs,
    /// CLIP similarity to the goal's caption.
    Cts,
    /// 1 where the expressive instruction names what only the picture shows, else 0.
    Named,
}

impl Metric {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 9] =
        [Self::L1, Self::L2, Self::Psnr, Self::Ssim, Self::Lpips, Self::Dino, Self::Cvs, Self::Cts, Self::Named];

    /// Its column in the CSV.
    pub fn id(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Psnr => "psnr",
            Self::Ssim => "ssim",
            Self::Lpips => "lpips",
            Self::Dino => "dino",
            Self::Cvs => "cvs",
            Self::Cts => "cts",
            Self::Named => "named",
        }
    }
}

/// The metrics of one picture, as far as they were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers([Option<f64>; Metric::ALL.len()]);

impl Numbers {
    /// Sets one.
    pub fn set(&mut self, metric: Metric, number: f64) {
        self.0[metric as usize] = Some(number);
    }

    /// One of them.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0[metric as usize]
    }
}

/// Sums over pairs.
#[derive(Clone, Debug, Default)]
struct Sums {
    pairs: usize,
    sums: [(f64, usize); Metric::ALL.len()],
}

impl Sums {
    fn add(&mut self, numbers: &Numbers) {
        self.pairs += 1;
        for ((sum, count), number) in self.sums.iter_mut().zip(numbers.0) {
            if let Some(number) = number {
                *sum += number;
                *count += 1;
            }
        }
    }

    fn means(&self) -> Numbers {
        Numbers(self.sums.map(|(sum, count)| (count > 0).then(|| sum / count as f64)))
    }
}

/// The means of one method over one family.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The family of edits; [`ALL`] for all pairs.
    pub family: String,
    /// The method.
    pub method: String,
    /// How many pairs the family has.
    pub pairs: usize,
    /// The means.
    pub means: Numbers,
    /// L1 as a share of the first method's, which copies the input, where that is not 0.
    pub l1_of_copy: Option<f64>,
}

/// Sums of everything so far.
#[derive(Debug)]
pub struct Tally {
    methods: Vec<String>,
    /// By family, then by method.
    families: Vec<(String, Vec<Sums>)>,
}

impl Tally {
    /// Nothing measured yet of these methods, of which the first copies the input.
    pub fn new(methods: Vec<String>) -> Self {
        // The order in which the families are told, whichever comes first in the set.
        let families = Family::ALL.map(|family| (family.name().to_owned(), Vec::new())).to_vec();
        Self { methods, families }
    }

    /// Adds a pair: a number of each method.
    pub fn add(&mut self, family: Option<&str>, numbers: &[Numbers]) {
        for family in family.into_iter().chain([ALL]) {
            let place = self.families.iter().position(|(known, _)| known == family).unwrap_or_else(|| {
                self.families.push((family.to_owned(), Vec::new()));
                self.families.len() - 1
            });
            let sums = &mut self.families[place].1;
            sums.resize(self.methods.len(), Sums::default());
            sums.iter_mut().zip(numbers).for_each(|(sums, numbers)| sums.add(numbers));
        }
    }

    /// The table: family by family, all of them last, each method in its order.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let (all, named): (Vec<_>, Vec<_>) = self.families.iter().partition(|(family, _)| family == ALL);
        for (family, sums) in named.into_iter().chain(all) {
            let copy = sums.first().and_then(|sums| sums.means().get(Metric::L1)).filter(|l1| *l1 > 0.0);
            for (method, sums) in self.methods.iter().zip(sums) {
                let means = sums.means();
                let l1_of_copy = means.get(Metric::L1).zip(copy).map(|(l1, copy)| l1 / copy);
                let (family, method) = (family.clone(), method.clone());
                rows.push(Row { family, method, pairs: sums.pairs, means, l1_of_copy });
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn l1(number: f64) -> Numbers {
        let mut numbers = Numbers::default();
        numbers.set(Metric::L1, number);
        numbers
    }

    #[test]
    fn each_family_has_its_means_and_all_of_them_come_last() {
        let mut tally = Tally::new(vec!["copy".into(), "mgie".into()]);
        tally.add(Some("must_see"), &[l1(0.4), l1(0.1)]);
        tally.add(Some("global"), &[l1(0.2), l1(0.2)]);
        tally.add(Some("must_see"), &[l1(0.6), l1(0.3)]);
        tally.add(None, &[l1(0.0), l1(0.2)]);
        let rows = tally.rows();
        let told: Vec<_> = rows.iter().map(|row| (row.family.as_str(), row.method.as_str(), row.pairs)).collect();
        assert_eq!(
            told,
            [
                ("global", "copy", 1),
                ("global", "mgie", 1),
                ("must_see", "copy", 2),
                ("must_see", "mgie", 2),
                ("all", "copy", 4),
                ("all", "mgie", 4)
            ]
        );
        for (row, expected, share) in [(&rows[3], 0.2, 0.4), (&rows[5], 0.2, 0.8 / 1.2), (&rows[4], 0.3, 1.0)] {
            let (mean, found) = (row.means.get(Metric::L1).unwrap_or(-1.0), row.l1_of_copy.unwrap_or(-1.0));
            assert!((mean - expected).abs() < 1e-12 && (found - share).abs() < 1e-12, "{row:?}");
        }
        assert_eq!(rows[0].means.get(Metric::Cts), None);
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        let mut tally = Tally::new(vec!["copy".into()]);
        tally.add(None, &[l1(0.0)]);
        assert_eq!(tally.rows()[0].l1_of_copy, None);
    }
}
