//! Every request and every answer, at every version, against an independent codec.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;

use bytes::Bytes;
use gracchus_core::boundary::{Door, Request};
use gracchus_core::broker::TopicDirectory;
use gracchus_core::time::Timestamp;
use gracchus_net::kafka::{Api, Decoded, RequestHeader, code_of, decode_request};
use gracchus_net::records::Effort;
use gracchus_proptests::wire::{CLIENT_ID, CORRELATION_ID, Draw, latest, request};
use proptest::prelude::*;

fn api_and_version() -> impl Strategy<Value = (Api, i16)> {
    proptest::sample::select(Api::SERVED.to_vec()).prop_flat_map(|api| (Just(api), *api.versions().start()..=latest(api)))
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

fn decoded(frame: Bytes) -> (RequestHeader, Request) {
    match decode_request(frame, Door::Brokers, &TopicDirectory::default(), Timestamp(0), Effort::FULL).unwrap() {
        Decoded::Request { header, request, .. } => (header, *request),
        Decoded::Answer(answer) => panic!("answered with {answer:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_request_that_the_other_codec_wrote_is_understood((api, version) in api_and_version(), entropy in entropy()) {
        let (frame, expected) = request(api, version, &mut Draw::new(&entropy));
        let (header, request) = decoded(frame);
        prop_assert_eq!((header.api, header.version, header.correlation_id), (api, version, CORRELATION_ID));
        prop_assert_eq!(header.client_id.as_deref(), Some(CLIENT_ID));
        prop_assert_eq!(request, expected);
    }

    #[test]
    fn an_answer_is_what_the_other_codec_would_have_written((api, version) in api_and_version(), entropy in entropy()) {
        answers::check(api, version, &mut Draw::new(&entropy));
    }
}

#[test]
fn errors_have_the_numbers_that_the_other_codec_knows() {
    for number in -1..200 {
        if let Some(code) = code_of(number) {
            let known = kafka_protocol::ResponseError::try_from_code(number).unwrap();
            assert_eq!(format!("{code:?}"), format!("{known:?}"));
        }
    }
}
