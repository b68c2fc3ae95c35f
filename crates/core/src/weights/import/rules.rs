//! The form of a table of names.

/// Where a parameter of ours is found in a checkpoint, and how it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Our name; `*` is the number of a block.
    pub ours: String,
    /// Theirs.
    pub theirs: Theirs,
}

/// A parameter in a checkpoint; `*` is the number of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Theirs {
    /// The same values in the same order.
    Same(String),
    /// A matrix `[output, input]`, further dimensions belonging to the input; ours is `[input,
    /// output]`.
    Matrix(String),
    /// Several such matrices beside each other.
    Matrices(Vec<String>),
    /// Several vectors after each other; none stands for zeros.
    Vectors(Vec<Option<String>>),
    /// Not stored: zeros.
    Zeros,
}

impl Theirs {
    /// Names of all tensors that it is made of.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Same(name) | Self::Matrix(name) => vec![name],
            Self::Matrices(names) => names.iter().map(String::as_str).collect(),
            Self::Vectors(names) => names.iter().flatten().map(String::as_str).collect(),
            Self::Zeros => Vec::new(),
        }
    }

    /// The same of block `number`.
    fn numbered(&self, number: &str) -> Self {
        let name = |pattern: &String| pattern.replacen('*', number, 1);
        match self {
            Self::Same(pattern) => Self::Same(name(pattern)),
            Self::Matrix(pattern) => Self::Matrix(name(pattern)),
            Self::Matrices(patterns) => Self::Matrices(patterns.iter().map(name).collect()),
            Self::Vectors(patterns) => {
                Self::Vectors(patterns.iter().map(|p| p.as_ref().map(name)).collect())
            }
            Self::Zeros => Self::Zeros,
        }
    }
}

/// A table of names.
#[derive(Clone, Debug, Default)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// Where our parameter `ours` is found.
    pub fn theirs(&self, ours: &str) -> Option<Theirs> {
        self.0
            .iter()
            .find_map(|rule| matches(&rule.ours, ours).map(|number| rule.theirs.numbered(&number)))
    }

    /// One parameter.
    pub fn rule(&mut self, ours: &str, theirs: Theirs) {
        self.0.push(Rule {
            ours: ours.to_owned(),
            theirs,
        });
    }

    /// The same values in the same order.
    pub fn same(&mut self, ours: &str, theirs: &str) {
        self.rule(ours, Theirs::Same(theirs.to_owned()));
    }

    /// Weight and bias of a convolution, which lie alike.
    pub fn conv(&mut self, ours: &str, theirs: &str) {
        for part in ["weight", "bias"] {
            self.same(&format!("{ours}.{part}"), &format!("{theirs}.{part}"));
        }
    }

    /// Weight and bias of a linear map.
    pub fn linear(&mut self, ours: &str, theirs: &str) {
        let weight = Theirs::Matrix(format!("{theirs}.weight"));
        self.rule(&format!("{ours}.weight"), weight);
        self.same(&format!("{ours}.bias"), &format!("{theirs}.bias"));
    }

    /// Scale and shift of a norm.
    pub fn norm(&mut self, ours: &str, theirs: &str) {
        self.same(&format!("{ours}.gamma"), &format!("{theirs}.weight"));
        self.same(&format!("{ours}.beta"), &format!("{theirs}.bias"));
    }

    /// Slope of a PReLU.
    pub fn slope(&mut self, ours: &str, theirs: &str) {
        self.same(&format!("{ours}.alpha"), &format!("{theirs}.weight"));
    }
}

/// The number of a block in `name`, if `pattern` is its form.
pub fn matches(pattern: &str, name: &str) -> Option<String> {
    match pattern.split_once('*') {
        None => (pattern == name).then(String::new),
        Some((before, after)) => {
            let number = name.strip_prefix(before)?.strip_suffix(after)?;
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| number.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_number() {
        assert_eq!(matches("a.*.b", "a.12.b").as_deref(), Some("12"));
        assert_eq!(matches("a.*.b", "a.1.2.b"), None);
        assert_eq!(matches("a.*.b", "a..b"), None);
        assert_eq!(matches("a.b", "a.b").as_deref(), Some(""));
    }
}
