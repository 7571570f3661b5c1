//! A campaign's result as JUnit XML, for the tools of continuous integration.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::summary::{Summary, describe};
use crate::shrink::Failure;

/// The result as JUnit XML: a case for each run that failed, and one each for what a campaign has to show.
///
/// # Errors
/// It can't be written as XML.
pub fn junit(summary: &Summary) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("gracchus-sim");
    suite.set_time(summary.real);
    for report in &summary.failures {
        let property = Failure::of(report).map_or_else(String::new, |failure| failure.of);
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(&property).set_message(describe(&report.ending));
        status.set_description(format!("to see its events: gracchus-sim replay {}", report.replay));
        let mut case = TestCase::new(report.replay.clone(), status);
        case.set_classname(format!("gracchus-sim.{property}")).set_time(report.real);
        suite.add_test_case(case);
    }
    let of_campaign = [
        ("seeds are clean", summary.failures.is_empty(), format!("{} of {} seeds failed", summary.failures.len(), summary.seeds)),
        ("required marks are reached", summary.missing_marks().is_empty(), format!("never reached: {}", summary.missing_marks().join(", "))),
        ("enough seeds count", !summary.counts_too_few(), format!("{} of {} seeds do not count", summary.uncounted.len(), summary.drawn)),
        ("few seeds are excused", !summary.excuses_too_many(), format!("{} of {} seeds are excused", summary.excused, summary.seeds)),
    ];
    for (name, holds, otherwise) in of_campaign {
        let mut status = if holds { TestCaseStatus::success() } else { TestCaseStatus::non_success(NonSuccessKind::Failure) };
        if !holds {
            status.set_message(otherwise);
        }
        let mut case = TestCase::new(name, status);
        case.set_classname("gracchus-sim.campaign");
        suite.add_test_case(case);
    }
    let mut report = Report::new("gracchus-sim");
    report.add_test_suite(suite);
    report.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Violation;
    use crate::world::{Ending, RunReport};

    #[test]
    fn a_run_that_failed_is_a_case_with_what_it_broke() {
        let violation = Violation::safety("LogMatching", "epoch 5 & \"3\" < 4");
        let failed = RunReport { ending: Ending::Violation { event: 9, violation }, ..RunReport::empty(7, 3) };
        let mut summary = Summary::default();
        summary.add(failed);
        let xml = junit(&summary).unwrap();
        assert!(xml.contains(r#"classname="gracchus-sim.LogMatching""#), "{xml}");
        assert!(xml.contains("epoch 5 &amp; &quot;3&quot; &lt; 4"), "{xml}");
        assert!(xml.contains(r#"tests="5" skipped="0" errors="0" failures="2""#), "{xml}");
    }
}
