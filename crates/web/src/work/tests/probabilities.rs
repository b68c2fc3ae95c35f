//! How sure the network was.

use super::desk::Desk;
use crate::protocol::{FromWorker, Probabilities, ToWorker};
use crate::work::*;

#[test]
fn how_sure_the_network_was_is_asked_of_the_result_on_screen() {
    let mut desk = Desk::with_scan();
    let ask = |desk: &mut Desk, what| {
        desk.orders();
        desk.page.ask_probabilities(what);
        desk.orders().into_iter().find_map(|order| match order {
            Order::Post(ToWorker::Probabilities { job, of, .. }, _) => Some((job, of)),
            _ => None,
        })
    };
    let answer = |desk: &mut Desk, job, what| {
        let message = FromWorker::Probabilities { job, what };
        desk.page
            .hear(desk.worker, message, Some("probabilities"), 0.0);
    };
    assert_eq!(
        ask(&mut desk, Probabilities::Certainty),
        None,
        "there is no result"
    );
    let (run, _) = desk.segment().expect("it starts");
    assert_eq!(ask(&mut desk, Probabilities::Certainty), None, "nor yet");
    desk.segmented(run);
    let (late, of) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    assert_eq!(of, run);
    let (job, _) = ask(&mut desk, Probabilities::OfLabels).expect("it is asked");
    answer(&mut desk, late, Probabilities::Certainty);
    assert!(
        desk.page.shown().certainty.is_none(),
        "nobody asks that any more"
    );
    answer(&mut desk, job, Probabilities::OfLabels);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, bytes, .. } => Some((name, bytes)),
        _ => None,
    });
    let (name, bytes) = saved.expect("it is saved");
    assert!(name.ends_with("_probseg.nii.gz"), "{name}");
    assert_eq!(bytes, "probabilities");

    let (job, _) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    answer(&mut desk, job, Probabilities::Certainty);
    assert_eq!(
        desk.page.shown().certainty.as_deref(),
        Some(&"probabilities")
    );
    let (job, _) = ask(&mut desk, Probabilities::CertaintyFile).expect("it is asked");
    desk.fail(Some(job), "no room");
    assert!(desk.page.shown().failure.is_some());
    assert!(desk.page.shown().outcome.is_some(), "the result stays");

    // A new result is another one's.
    let (run, _) = desk.segment().expect("it starts");
    assert!(!desk.page.shown().has_logits);
    desk.segmented(run);
    assert!(desk.page.shown().certainty.is_none());
    let (_, of) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    assert_eq!(of, run);
    // A fresh worker knows nothing of it.
    desk.page.restart();
    assert!(!desk.page.shown().has_logits);
}
