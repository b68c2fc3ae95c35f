//! What both languages do alike.

use super::{de, en};

#[test]
fn numbers_below_zero_have_a_minus_sign_and_zero_has_none() {
    let both = |value, digits| {
        [
            en::numbers::number(value, digits),
            de::numbers::number(value, digits),
        ]
    };
    assert_eq!(both(-7.26, 1), ["\u{2212}7.3", "\u{2212}7,3"]);
    assert_eq!(both(-0.04, 1), ["0.0", "0,0"]);
    assert_eq!(both(-0.04, 2), ["\u{2212}0.04", "\u{2212}0,04"]);
    assert_eq!(both(-31.0, 0), ["\u{2212}31", "\u{2212}31"]);
    let place = en::viewer::location([-24.0, 0.5, -0.01], [1, 2, 3], "5", "");
    assert!(
        place.starts_with("x \u{2212}24.0, y 0.5, z 0.0 mm"),
        "{place}"
    );
}

#[test]
fn pictures_of_the_inside_are_said_as_people_count() {
    let slices = [-2, -1, 0, 1, 2].map(en::inside::slice);
    assert_eq!(
        slices,
        [
            "2 slices before",
            "1 slice before",
            "this slice",
            "1 slice after",
            "2 slices after"
        ]
    );
    let slices = [-2, -1, 0, 1, 2].map(de::inside::slice);
    assert_eq!(
        slices,
        [
            "2 Schichten davor",
            "1 Schicht davor",
            "diese Schicht",
            "1 Schicht danach",
            "2 Schichten danach"
        ]
    );
    assert_eq!(en::inside::looks(1, 0.0), "Head 1: at patches alone");
    assert_eq!(
        en::inside::looks(1, 35.0),
        "Head 1: 35 % at tokens for the whole"
    );
    assert_eq!(de::inside::looks(1, 0.0), "Kopf 1: nur auf Patches");
    assert_eq!(
        en::inside::hears("a", 1, 40),
        "a: 1 of 40 slices hears of it"
    );
    assert_eq!(
        de::inside::hears("a", 1, 40),
        "a: 1 von 40 Schichten hört davon"
    );
}

#[test]
fn one_is_not_many() {
    for (said, one, many) in [
        (
            en::models::mean_dice as fn(f64, usize) -> String,
            "1 validation case",
            "2 validation cases",
        ),
        (
            de::models::mean_dice,
            "1 Validierungsfall",
            "2 Validierungsfällen",
        ),
    ] {
        assert!(said(0.9, 1).ends_with(one), "{}", said(0.9, 1));
        assert!(said(0.9, 2).ends_with(many), "{}", said(0.9, 2));
    }
    assert_eq!(en::list::labels(1, "2"), "1 label, 2 mL");
    assert_eq!(de::list::labels(1, "2"), "1 Label, 2 ml");
    assert_eq!(en::compare::progress(0, 1), "Comparing: 0 of 1 label.");
    assert_eq!(de::compare::progress(0, 1), "Vergleicht: 0 von 1 Label.");
}
