//! Questions about the inside of the network.

use dinomed3d_volume::Label;

use super::desk::{Desk, failure};
use crate::protocol::{FromWorker, InsideView, JobId, MapKind, NetworkSize, Question, ToWorker};
use crate::work::*;

/// A page with a result whose inside can be looked at, and the number of its request.
fn with_result() -> (Desk, JobId) {
    let mut desk = Desk::with_scan();
    desk.page.segment(0.0);
    let posts = desk.posts();
    let job = posts
        .iter()
        .find_map(|post| match post {
            ToWorker::Segment { job, .. } => Some(*job),
            _ => None,
        })
        .expect("a segmentation was asked for");
    desk.hear(FromWorker::Segmented {
        job,
        millis: 1.0,
        labels: vec![Label::unnamed(1)],
        statistics: Vec::new(),
        warnings: Vec::new(),
    });
    desk.posts();
    (desk, job)
}

fn asked(desk: &mut Desk) -> Vec<(JobId, JobId, [f64; 3])> {
    let posts = desk.posts().into_iter();
    posts
        .filter_map(|post| match post {
            ToWorker::Inside { job, of, at_mm, .. } => Some((job, of, at_mm)),
            _ => None,
        })
        .collect()
}

fn at(x: f64) -> Ask {
    Ask {
        at_mm: [x, 0.0, 0.0],
        question: Question::Reach,
        without: None,
    }
}

fn answer() -> InsideView {
    InsideView {
        map: Some(MapKind::Colours),
        pictures: Vec::new(),
        curves: Vec::new(),
        dice: Vec::new(),
        proxy: None,
        network: NetworkSize::default(),
        token: None,
    }
}

#[test]
fn of_questions_that_come_meanwhile_the_newest_is_asked() {
    let (mut desk, result) = with_result();
    for x in [1.0, 2.0, 3.0] {
        desk.page.look_inside(at(x));
    }
    let first = asked(&mut desk);
    assert_eq!(first.len(), 1, "one at a time");
    let (job, of, place) = first[0];
    assert_eq!((of, place), (result, [1.0, 0.0, 0.0]));
    desk.hear(FromWorker::Progress {
        job,
        fraction: 0.5,
        window: 1,
        windows: 1,
    });
    assert_eq!(desk.page.shown().looking, Some(0.5));
    desk.hear(FromWorker::Inside {
        job,
        view: answer(),
    });
    let shown = desk.page.shown().inside.expect("the answer is shown");
    assert_eq!((shown.ask, shown.map), (at(1.0), Some("labels")));
    let next = asked(&mut desk);
    assert_eq!(next.len(), 1);
    assert_eq!(
        next[0].2,
        [3.0, 0.0, 0.0],
        "the one between is not asked any more"
    );

    desk.page.leave_inside();
    assert_eq!(desk.posts(), [ToWorker::Cancel { job: next[0].0 }]);
    desk.hear(FromWorker::Inside {
        job: next[0].0,
        view: answer(),
    });
    assert!(desk.page.shown().inside.is_none(), "nobody looks any more");
}

#[test]
fn a_question_that_fails_is_said_and_does_not_stop_the_next() {
    let (mut desk, _) = with_result();
    desk.page.look_inside(at(1.0));
    desk.page.look_inside(at(2.0));
    let (job, ..) = asked(&mut desk)[0];
    desk.hear(FromWorker::Failed {
        job: Some(job),
        failure: failure("it broke", false),
    });
    assert_eq!(
        desk.page.shown().failure.map(|it| it.what).as_deref(),
        Some("it broke")
    );
    assert!(
        desk.page.shown().outcome.is_some(),
        "the result is still there"
    );
    assert_eq!(asked(&mut desk).len(), 1);
    // A new run makes what was asked about the old one void.
    desk.page.segment(0.0);
    assert!(desk.page.shown().inside.is_none() && desk.page.shown().looking.is_none());
    desk.page.look_inside(at(3.0));
    assert!(
        asked(&mut desk).is_empty(),
        "there is no result to ask about"
    );
}
