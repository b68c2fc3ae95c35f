//! Elements, items and texts as a DICOM object is put together of them.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::terms::Code;

/// Characters of a text of VR LO, which is one line.
pub(super) const LINE: usize = 64;

pub(super) fn object<const N: usize>(elements: [InMemElement; N]) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

pub(super) fn text(tag: Tag, vr: VR, text: &str) -> InMemElement {
    DataElement::new(tag, vr, PrimitiveValue::from(text))
}

pub(super) fn number(tag: Tag, number: u16) -> InMemElement {
    DataElement::new(tag, VR::US, PrimitiveValue::from(number))
}

pub(super) fn decimals(tag: Tag, numbers: &[f64]) -> InMemElement {
    let texts: Vec<String> = numbers.iter().map(|&n| decimal(n)).collect();
    text(tag, VR::DS, &texts.join("\\"))
}

pub(super) fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

/// A code as the one item of a sequence; `more` goes into the item.
pub(super) fn coded(tag: Tag, code: &Code, more: Option<InMemElement>) -> InMemElement {
    let mut item = code_item(code);
    if let Some(more) = more {
        item.put(more);
    }
    sequence(tag, vec![item])
}

pub(super) fn code_item(code: &Code) -> InMemDicomObject {
    object([
        text(tags::CODE_VALUE, VR::SH, &line(&code.value, 16)),
        text(
            tags::CODING_SCHEME_DESIGNATOR,
            VR::SH,
            &line(&code.scheme, 16),
        ),
        text(tags::CODE_MEANING, VR::LO, &line(&code.meaning, LINE)),
    ])
}

/// One line of so many characters at most, without what has a meaning in DICOM's texts.
pub(super) fn line(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| match c {
        '\\' => '/',
        c if c.is_control() => ' ',
        c => c,
    });
    plain.take(most).collect::<String>().trim().to_owned()
}

/// As exact as the 16 characters of a DS allow.
pub(super) fn decimal(number: f64) -> String {
    let shortest = number.to_string();
    if shortest.len() <= 16 {
        return shortest;
    }
    (0..=14)
        .rev()
        .map(|digits| format!("{number:.digits$}"))
        .chain([format!("{number:.8e}")])
        .find(|text| text.len() <= 16)
        .expect("nine digits with an exponent are shorter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_fits_and_is_as_exact_as_it_can_be() {
        for (number, expected) in [
            (0.488281, "0.488281"),
            (-158.135803, "-158.135803"),
            (1.0 / 3.0, "0.33333333333333"),
            (-2.0 / 3.0, "-0.6666666666667"),
            (-1234.567890123456, "-1234.5678901235"),
            (1.5e-20, "0.00000000000000"),
            (-1e300, "-1.00000000e300"),
            (0.1 + 0.2, "0.30000000000000"),
        ] {
            assert_eq!(decimal(number), expected);
        }
    }

    #[test]
    fn a_line_has_no_backslash_and_no_end() {
        assert_eq!(line("a\\b\nc ", LINE), "a/b c");
        assert_eq!(line(&"ä".repeat(70), LINE).chars().count(), 64);
    }
}
