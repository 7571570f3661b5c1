//! A run as one page that needs nothing else: a lane for each node and client, what was said between them, who led what, and what led to the
//! failure. The page itself is `page.html`; this is what it shows.

mod data;

use serde::Serialize;

use crate::explain::Watched;

/// The page, but for its data.
const PAGE: &str = include_str!("page.html");
/// Where the data goes.
const DATA: &str = "<!--DATA-->";
/// Texts of so many events stand in one element, which the page reads when it first needs one of them.
const TEXTS_AT_ONCE: usize = 1_000;

/// The page that shows a run.
#[must_use]
pub fn page(watched: &Watched) -> String {
    let (run, texts) = data::of(watched);
    let mut elements = element("run", &run);
    for (number, texts) in texts.chunks(TEXTS_AT_ONCE).enumerate() {
        elements.push_str(&element(&format!("details-{number}"), &texts));
    }
    PAGE.replacen(DATA, &elements, 1)
}

/// An element with JSON in it, in which nothing ends the element.
fn element(id: &str, value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("it is plain data").replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"{id}\">{json}</script>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain;
    use crate::plan::Plan;

    #[test]
    fn a_page_has_every_event_and_its_text() {
        let plan = Plan { duration_ms: 1_000, ..Plan::draw_for(3, 3) };
        let watched = explain::watch(&plan);
        let (run, texts) = data::of(&watched);
        let run = serde_json::to_value(&run).unwrap();
        let columns = ["time_us", "lane", "kind"].map(|column| run["events"][column].as_array().unwrap().len());
        assert_eq!(columns, [texts.len(); 3]);
        assert_eq!(watched.trace.events, texts.len() as u64);
        assert!(!run["messages"].as_array().unwrap().is_empty());
        assert!(!run["operations"].as_array().unwrap().is_empty());
        let page = page(&watched);
        assert!(page.contains("id=\"details-0\"") && !page.contains(DATA));
    }
}
