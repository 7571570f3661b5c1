//! What was measured, in words or as JSON.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::error::CliError;

/// Latencies in microseconds, from one to ten minutes, to three figures.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Histogram<u64>);

const LATENCY_US_MAX: u64 = 600_000_000;

impl Latencies {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are sound"))
    }

    /// Adds `count` of the same.
    pub(super) fn record(&mut self, latency: Duration, count: u64) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record_n(micros, count);
    }

    /// Adds those of another connection.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    fn quantiles(&self) -> Quantiles {
        let ms = |quantile| to_ms(self.0.value_at_quantile(quantile));
        Quantiles { p50: ms(0.5), p95: ms(0.95), p99: ms(0.99), p999: ms(0.999), max: to_ms(self.0.max()) }
    }
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Quantiles {
    p50: f64,
    p95: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
    max: f64,
}

/// The outcome of a run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_s: f64,
    mb_per_s: f64,
    latency_ms: Quantiles,
}

impl Report {
    /// `bytes` is what the rate is told of; a megabyte is 10^6.
    pub(super) fn new(records: u64, bytes: u64, took: Duration, latencies: &Latencies) -> Self {
        let seconds = took.as_secs_f64().max(1e-9);
        Self {
            records,
            bytes,
            seconds,
            records_per_s: to_f64(records) / seconds,
            mb_per_s: to_f64(bytes) / 1e6 / seconds,
            latency_ms: latencies.quantiles(),
        }
    }

    /// Prints it on standard output.
    pub(super) fn print(&self, verb: &str, latency_of: &str, json: bool) -> Result<(), CliError> {
        let text = if json { self.in_json() } else { self.in_words(verb, latency_of) };
        writeln!(io::stdout().lock(), "{text}").map_err(CliError::output)
    }

    fn in_json(&self) -> String {
        serde_json::to_string(self).expect("a report has a JSON form")
    }

    fn in_words(&self, verb: &str, latency_of: &str) -> String {
        let Quantiles { p50, p95, p99, p999, max } = self.latency_ms;
        format!(
            "{verb} {} records in {:.3} s: {:.0} records/s, {:.1} MB/s\n\
             latency of a {latency_of} in ms: p50 {p50:.3}, p95 {p95:.3}, p99 {p99:.3}, p99.9 {p999:.3}, max {max:.3}",
            self.records, self.seconds, self.records_per_s, self.mb_per_s
        )
    }
}

fn to_ms(micros: u64) -> f64 {
    to_f64(micros) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "rates are told to a few figures")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_rates_and_quantiles() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_millis(1), 99);
        latencies.record(Duration::from_millis(10), 1);
        let report = Report::new(100, 2_000_000, Duration::from_secs(2), &latencies);
        assert_eq!(
            report.in_words("produced", "record"),
            "produced 100 records in 2.000 s: 50 records/s, 1.0 MB/s\n\
             latency of a record in ms: p50 1.000, p95 1.000, p99 1.000, p99.9 10.007, max 10.007"
        );
    }
}
