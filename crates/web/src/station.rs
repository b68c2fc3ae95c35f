//! The guided tour inside the network: its stations, what each asks the worker, and their addresses.

use crate::language::inside::{self, Station as Words};
use crate::protocol::{Part, Question};

/// A stop of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    /// What three slices look like to the patch embedding.
    Slices,
    /// Tokens as colours.
    Tokens,
    /// What a token resembles.
    Similarity,
    /// What a token looks at.
    Attention,
    /// What adapters change.
    Adapters,
    /// Which slices hear of a slice.
    Reach,
    /// What the detail stream adds.
    Detail,
    /// What becomes of the labels without a part.
    Parts,
    /// What stage 1 makes of the scan, and what stage 2.
    Proxy,
}

impl Station {
    /// All of them, in the order of the tour.
    pub const ALL: [Self; 9] = [
        Self::Slices,
        Self::Tokens,
        Self::Similarity,
        Self::Attention,
        Self::Adapters,
        Self::Reach,
        Self::Detail,
        Self::Parts,
        Self::Proxy,
    ];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slices => "slices",
            Self::Tokens => "tokens",
            Self::Similarity => "similarity",
            Self::Attention => "attention",
            Self::Adapters => "adapters",
            Self::Reach => "reach",
            Self::Detail => "detail",
            Self::Parts => "parts",
            Self::Proxy => "proxy",
        }
    }

    /// The one before and the one after it.
    pub fn beside(self) -> [Option<Self>; 2] {
        let place = Self::ALL.iter().position(|station| *station == self);
        let place = place.unwrap_or(0);
        [place.checked_sub(1), Some(place + 1)].map(|place| Self::ALL.get(place?).copied())
    }

    /// Whether its answer is another at another place.
    pub fn follows_place(self) -> bool {
        matches!(
            self,
            Self::Slices | Self::Similarity | Self::Attention | Self::Reach | Self::Proxy
        )
    }

    /// Whether it is about the tokens after a block that can be chosen.
    pub fn has_blocks(self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::Similarity | Self::Attention | Self::Adapters
        )
    }

    /// Whether it can be seen with a part of the network switched off.
    pub fn has_switch(self) -> bool {
        matches!(self, Self::Tokens | Self::Similarity | Self::Attention)
    }

    /// The one that asks this.
    pub fn of(question: Question) -> Self {
        match question {
            Question::Slices => Self::Slices,
            Question::Colours { .. } => Self::Tokens,
            Question::Similarity { .. } => Self::Similarity,
            Question::Attention { .. } => Self::Attention,
            Question::Adapters { .. } => Self::Adapters,
            Question::Reach => Self::Reach,
            Question::Detail { .. } | Question::Gate => Self::Detail,
            Question::Without { .. } => Self::Parts,
            Question::Proxy => Self::Proxy,
        }
    }

    /// What is said of it.
    pub fn words(self) -> &'static Words {
        match self {
            Self::Slices => &inside::SLICES_STATION,
            Self::Tokens => &inside::TOKENS_STATION,
            Self::Similarity => &inside::SIMILARITY_STATION,
            Self::Attention => &inside::ATTENTION_STATION,
            Self::Adapters => &inside::ADAPTERS_STATION,
            Self::Reach => &inside::REACH_STATION,
            Self::Detail => &inside::DETAIL_STATION,
            Self::Parts => &inside::PARTS_STATION,
            Self::Proxy => &inside::PROXY_STATION,
        }
    }

    /// The file that computes it, in the project's sources.
    pub fn file(self) -> &'static str {
        match self {
            Self::Slices => "crates/core/src/model/slices.rs",
            Self::Tokens => "crates/core/src/inside/colours.rs",
            Self::Similarity => "crates/core/src/inside/similarity.rs",
            Self::Attention => "crates/core/src/inside/attention.rs",
            Self::Adapters => "crates/core/src/model/adapter.rs",
            Self::Reach => "crates/core/src/inside/reach.rs",
            Self::Detail => "crates/core/src/model/detail.rs",
            Self::Parts => "crates/core/src/model/without.rs",
            Self::Proxy => "crates/core/src/model/proxy.rs",
        }
    }
}

/// A station with all that can be chosen there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Visit {
    /// Which.
    pub station: Station,
    /// After so many blocks; of attention in which block. None for the last.
    pub block: Option<usize>,
    /// A head, from 1; none for all of them.
    pub head: Option<usize>,
    /// Level of the detail stream, from 1; none for the gate.
    pub level: Option<usize>,
    /// The part that is missing at [`Station::Parts`].
    pub part: Part,
    /// What is switched off elsewhere.
    pub without: Option<Part>,
    /// The least similarity that is drawn, in percent.
    pub threshold: u8,
}

/// Parts with their names in addresses and for people.
pub const PARTS: [(Part, &str, &str); 4] = [
    (Part::Neighbours, "neighbours", inside::NEIGHBOURS),
    (Part::Adapters, "adapters", inside::ADAPTERS),
    (Part::Detail, "detail", inside::DETAIL),
    (Part::Transformer, "transformer", inside::TRANSFORMER),
];

const BEGINNING: &str = "#inside/";

impl Visit {
    /// A station as one finds it.
    pub fn of(station: Station) -> Self {
        Self {
            station,
            block: None,
            head: None,
            level: Some(1),
            part: Part::Adapters,
            without: None,
            threshold: 0,
        }
    }

    /// What is asked.
    pub fn question(&self) -> Question {
        // The worker knows how many there are, and takes the last for one too many.
        let after = self.block.unwrap_or(usize::MAX);
        match self.station {
            Station::Slices => Question::Slices,
            Station::Tokens => Question::Colours { after },
            Station::Similarity => Question::Similarity { after },
            Station::Attention => Question::Attention {
                block: after.max(1),
                head: self.head,
            },
            Station::Adapters => Question::Adapters { after },
            Station::Reach => Question::Reach,
            Station::Detail => match self.level {
                Some(level) => Question::Detail { level },
                None => Question::Gate,
            },
            Station::Parts => Question::Without { part: self.part },
            Station::Proxy => Question::Proxy,
        }
    }

    /// What is switched off while it is asked.
    pub fn switched_off(&self) -> Option<Part> {
        self.without.filter(|_| self.station.has_switch())
    }

    /// Its address at a place in the world: the part behind `#`, and that itself.
    pub fn address(&self, at_mm: Option<[f64; 3]>) -> String {
        let mut query: Vec<String> = Vec::new();
        if let Some(place) = at_mm {
            let named = ["x", "y", "z"].into_iter().zip(place);
            query.extend(named.map(|(axis, mm)| format!("{axis}={mm:.1}")));
        }
        let first = Self::of(self.station);
        let mut add = |name: &str, value: Option<String>| {
            query.extend(value.map(|value| format!("{name}={value}")));
        };
        add("block", self.block.map(|block| block.to_string()));
        add("head", self.head.map(|head| head.to_string()));
        if self.level != first.level {
            let level = self
                .level
                .map_or("gate".to_owned(), |level| level.to_string());
            add("level", Some(level));
        }
        if self.part != first.part {
            add("part", Some(name_of(self.part).to_owned()));
        }
        add("without", self.without.map(|part| name_of(part).to_owned()));
        if self.threshold > 0 {
            add("threshold", Some(self.threshold.to_string()));
        }
        let station = self.station.name();
        if query.is_empty() {
            format!("{BEGINNING}{station}")
        } else {
            format!("{BEGINNING}{station}?{}", query.join("&"))
        }
    }

    /// The visit of an address, and the place that it names; none of another address. What is not understood is passed over.
    pub fn parse(address: &str) -> Option<(Self, Option<[f64; 3]>)> {
        let rest = address.strip_prefix(BEGINNING)?;
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let station = Station::ALL.into_iter().find(|it| it.name() == name)?;
        let mut visit = Self::of(station);
        let mut place = [None; 3];
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let number = value.parse::<usize>().ok();
            match name {
                "x" | "y" | "z" => {
                    let axis = usize::from(name.as_bytes()[0] - b'x');
                    place[axis] = value.parse().ok().filter(|mm: &f64| mm.is_finite());
                }
                "block" => visit.block = number,
                "head" => visit.head = number.filter(|head| *head > 0),
                "level" => visit.level = number.filter(|level| *level > 0),
                "part" => visit.part = part_called(value).unwrap_or(visit.part),
                "without" => visit.without = part_called(value),
                "threshold" => visit.threshold = number.unwrap_or(0).min(100) as u8,
                _ => {}
            }
        }
        let at_mm = match place {
            [Some(x), Some(y), Some(z)] => Some([x, y, z]),
            _ => None,
        };
        Some((visit, at_mm))
    }
}

/// A part's name in addresses.
pub fn name_of(part: Part) -> &'static str {
    let named = PARTS.iter().find(|(it, ..)| *it == part);
    named.map_or("", |(_, name, _)| name)
}

/// The part of that name.
pub fn part_called(name: &str) -> Option<Part> {
    let named = PARTS.iter().find(|(_, it, _)| *it == name);
    named.map(|(part, ..)| *part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_survives_its_address() {
        let mut visit = Visit::of(Station::Similarity);
        assert_eq!(visit.address(None), "#inside/similarity");
        visit.block = Some(3);
        visit.without = Some(Part::Neighbours);
        visit.threshold = 40;
        let address = visit.address(Some([1.0, -2.25, 30.0]));
        assert_eq!(
            address,
            "#inside/similarity?x=1.0&y=-2.2&z=30.0&block=3&without=neighbours&threshold=40"
        );
        assert_eq!(
            Visit::parse(&address),
            Some((visit, Some([1.0, -2.2, 30.0])))
        );

        let gate = Visit {
            level: None,
            ..Visit::of(Station::Detail)
        };
        assert_eq!(Visit::parse(&gate.address(None)), Some((gate, None)));
        for station in Station::ALL {
            let visit = Visit::of(station);
            assert_eq!(Station::of(visit.question()), station);
            assert_eq!(Visit::parse(&visit.address(None)), Some((visit, None)));
        }
    }

    #[test]
    fn an_address_of_something_else_is_none_and_nonsense_is_passed_over() {
        assert_eq!(Visit::parse("#viewer"), None);
        assert_eq!(Visit::parse("#inside/nowhere"), None);
        let (visit, place) = Visit::parse("#inside/parts?x=1&y=far&part=soul&block=-1&a").unwrap();
        assert_eq!((visit, place), (Visit::of(Station::Parts), None));
    }

    #[test]
    fn the_tour_goes_from_station_to_station() {
        let mut at = Station::ALL[0];
        assert_eq!(at.beside()[0], None);
        let mut passed = 1;
        while let [_, Some(next)] = at.beside() {
            assert_eq!(next.beside()[0], Some(at));
            at = next;
            passed += 1;
        }
        assert_eq!(passed, Station::ALL.len());
    }
}
