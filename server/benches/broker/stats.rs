//! Medians and spreads.

/// One number of each run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    /// Run by run, what this is of `other`.
    pub(crate) fn ratio(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    /// The median, with the least and the greatest in brackets.
    pub(crate) fn show(&self, decimals: usize) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{:.decimals$} [{least:.decimals$} .. {greatest:.decimals$}]", self.median())
    }
}

/// The sample below which a share of them lies.
pub(crate) fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index into what is in memory")]
    let at = ((samples.len() - 1) as f64 * share).round() as usize;
    samples[at]
}

#[expect(clippy::cast_precision_loss, reason = "rates are told to a few figures")]
pub(crate) fn to_f64(number: u64) -> f64 {
    number as f64
}
