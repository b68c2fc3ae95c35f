//! A closer look at a part of a result.

use std::rc::Rc;

use dinomed3d_volume::Label;

use super::desk::Desk;
use crate::protocol::{FromWorker, ToWorker};
use crate::work::*;

#[test]
fn a_closer_look_takes_the_result_with_it_and_brings_more_labels() {
    let part = |model: &str| Closer {
        model: model.to_owned(),
        name: format!("parts of {model}"),
    };
    let mut desk = Desk::with_scan();
    for entry in &mut desk.page.shown.models {
        entry.part_of = (entry.name != "a").then(|| PartOf {
            model: "a".to_owned(),
            name: part(&entry.name).name,
        });
    }
    // What is sent: the request, the part's folder, the labels, and the map beside them.
    let look = |desk: &mut Desk, closer: Closer| {
        desk.page.look_closer(closer, 0.0);
        desk.orders().into_iter().find_map(|order| match order {
            Order::Post(ToWorker::Closer { job, model, labels }, Some(bytes)) => {
                Some((job, model, labels, bytes))
            }
            _ => None,
        })
    };
    assert_eq!(look(&mut desk, part("b")), None, "nothing is found yet");
    let (job, _) = desk.segment().expect("it starts");
    assert_eq!(look(&mut desk, part("b")), None, "a run is under way");
    desk.segmented(job);
    assert_eq!(look(&mut desk, part("x")), None, "nobody offers it");

    let (job, base, labels, bytes) = look(&mut desk, part("b")).expect("it starts");
    assert_eq!((base.as_str(), bytes), ("models/b/", "labels"));
    assert!(desk.page.shown().status.contains("the parts of b"));
    assert_eq!(labels, [Label::unnamed(1)]);
    desk.fail(Some(job), "not found");
    let outcome = desk.page.shown().outcome.expect("the result stays");
    assert_eq!(outcome.closer, [part("b"), part("c")]);
    assert!(
        desk.page.shown().has_logits,
        "the worker still knows the result"
    );
    let mut again = desk.page.shown.models[1].clone();
    again.name = "b/four-bits".to_owned();
    desk.page.shown.models.push(again);
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(
        outcome.closer,
        [part("b"), part("c")],
        "a part is offered once"
    );

    let (job, ..) = look(&mut desk, part("b")).expect("it starts");
    let more = vec![Label::unnamed(1), Label::unnamed(2)];
    desk.segmented_into(job, more.clone());
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.labels, more);
    assert_eq!(outcome.closer, [part("c")], "b has been looked at");
    assert_eq!(
        outcome.warnings.len(),
        2,
        "what was said of the whole is still true"
    );
    assert_eq!(outcome.millis, 2.0, "both looks have taken their time");
    assert!(!desk.page.shown().has_logits, "two networks have made it");
    desk.page.look_back();
    let shown = desk.page.shown();
    let outcome = shown.outcome.expect("there is a result");
    assert_eq!(outcome.labels, [Label::unnamed(1)], "as it was before");
    assert!(shown.has_logits && outcome.looked_from.is_none());
    let (job, ..) = look(&mut desk, part("b")).expect("it starts again");
    desk.segmented_into(job, more.clone());
    let (job, ..) = look(&mut desk, part("c")).expect("it starts");
    desk.partial(job, "half");
    let partial = desk.page.shown().partial.expect("it is there");
    assert_eq!(partial.labels, more, "the result's, of which it grows");
    desk.hear(FromWorker::Cancelled { job });

    let (job, _) = desk.segment().expect("the whole scan again");
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.closer, [part("b"), part("c")]);
}

#[test]
fn a_closer_look_at_a_mended_map_says_that_a_person_changed_it() {
    let mut desk = Desk::with_scan();
    for entry in &mut desk.page.shown.models {
        entry.part_of = (entry.name == "b").then(|| PartOf {
            model: "a".to_owned(),
            name: "part".to_owned(),
        });
    }
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let found = desk.page.shown().outcome.expect("there is a result");
    desk.mend("mended");
    desk.page.look_closer(found.closer[0].clone(), 0.0);
    let sent = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::Closer { job, .. }, Some(bytes)) => Some((job, bytes)),
        _ => None,
    });
    let (job, bytes) = sent.expect("it starts");
    assert_eq!(bytes, "mended", "what a person changed is kept");
    let seg = FromWorker::DicomSeg { job };
    desk.page.hear(desk.worker, seg, Some("seg"), 0.0);
    desk.segmented(job);
    let closer = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(closer.name, "scan_desc-mended_dseg.nii.gz");
    assert_eq!(closer.seg, None);
    assert!(Rc::ptr_eq(closer.mended_from.as_ref().unwrap(), &found));
    assert!(desk.orders().contains(&Order::MarkMended));
}
