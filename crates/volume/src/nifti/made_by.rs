//! What a result's file says of who made it, in the 79 bytes that a header has for a description.

use std::fmt;

use super::header::field;

const PROGRAM: &str = "DINO-Med3D";
const CAUTION: &str = "not a medical device";

/// Who made a file, written as `DINO-Med3D head 0.7.2, hippocampus 0.6.0; changed by hand; not a medical device`. Where that
/// is too long for a header no models are named, so that what comes after them is never cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeBy {
    models: String,
    change: Option<String>,
}

impl MadeBy {
    /// What a description says; nothing of another program's.
    pub fn of(description: &str) -> Self {
        let mut parts = description.split(';').map(str::trim);
        let program = parts.next().and_then(|part| part.strip_prefix(PROGRAM));
        let change = parts.next().filter(|part| *part != CAUTION);
        match program {
            Some(models) => Self {
                models: models.trim_start().to_owned(),
                change: change.map(str::to_owned),
            },
            None => Self::default(),
        }
    }

    /// And by a model, after the others.
    pub fn and(mut self, name: &str, version: &str) -> Self {
        if !self.models.is_empty() {
            self.models += ", ";
        }
        self.models += name;
        self.models += " ";
        self.models += version;
        self
    }

    /// And changed since, in words without a semicolon, which stand in place of those of a change before.
    pub fn changed(self, how: &str) -> Self {
        Self {
            change: Some(how.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = self
            .change
            .as_deref()
            .map_or(0, |how| "; ".len() + how.len());
        let around = PROGRAM.len() + change + "; ".len() + CAUTION.len();
        f.write_str(PROGRAM)?;
        if !self.models.is_empty() && around + 1 + self.models.len() < field::DESCRIP_BYTES {
            f.write_str(" ")?;
            f.write_str(&self.models)?;
        }
        if let Some(how) = &self.change {
            f.write_str("; ")?;
            f.write_str(how)?;
        }
        f.write_str("; ")?;
        f.write_str(CAUTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_added_to() {
        let both = MadeBy::default()
            .and("head", "0.7.2")
            .and("hippocampus", "0.6.0");
        let text = both.to_string();
        assert_eq!(
            text,
            "DINO-Med3D head 0.7.2, hippocampus 0.6.0; not a medical device"
        );
        assert_eq!(MadeBy::of(&text), both);
        let changed = MadeBy::of(&text).changed("changed by hand").to_string();
        assert_eq!(
            changed,
            "DINO-Med3D head 0.7.2, hippocampus 0.6.0; changed by hand; not a medical device"
        );
        assert_eq!(changed.len(), field::DESCRIP_BYTES - 1);
        assert_eq!(
            MadeBy::of(&changed).changed("anew").to_string(),
            text.replace("; ", "; anew; ")
        );
        let head = MadeBy::of("DINO-Med3D; not a medical device").and("head", "0.7.2");
        assert_eq!(
            head.to_string(),
            "DINO-Med3D head 0.7.2; not a medical device"
        );
    }

    #[test]
    fn models_are_left_out_before_anything_is_cut() {
        let long = MadeBy::default()
            .and(&"a".repeat(60), "1")
            .changed("by hand");
        assert_eq!(
            long.to_string(),
            "DINO-Med3D; by hand; not a medical device"
        );
    }

    #[test]
    fn other_programs_files_name_no_models() {
        for other in ["", "FreeSurfer 7.4; x", "5.0.10"] {
            assert_eq!(MadeBy::of(other), MadeBy::default(), "{other}");
        }
    }
}
