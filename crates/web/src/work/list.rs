//! The scans of a list, each with its file, its result or what was wrong with it, and the queue of those that are to be segmented.

use std::collections::VecDeque;
use std::rc::Rc;

use super::jobs::File;
use super::shown::{ListId, Listed, ListedState, Outcome, Scan};
use crate::language::list;
use crate::protocol::{Failure, ScanChoice, ScanOffer};
use crate::words;

/// A scan that the browser has brought, or not; `B` is a file's bytes.
#[derive(Debug)]
pub struct Brought<B> {
    /// Its name.
    pub name: String,
    /// Its file.
    pub bytes: Result<B, Failure>,
    /// Whether it is a model of the visitor's and no scan.
    pub is_model: bool,
}

/// The list; `B` is a file's bytes. A scan by itself is in no list.
#[derive(Debug)]
pub struct List<B> {
    last: ListId,
    entries: Vec<Entry<B>>,
    /// The one on screen.
    current: Option<ListId>,
    queue: Option<Queue>,
}

#[derive(Debug)]
struct Entry<B> {
    id: ListId,
    name: String,
    /// None if the browser could not read it.
    bytes: Option<B>,
    choice: Option<ScanChoice>,
    outcome: Option<Rc<Outcome<B>>>,
    /// What was wrong the last time.
    problem: Option<String>,
}

impl<B> Entry<B> {
    /// Whether it can be segmented and has not been with that model.
    fn wants(&self, model: &str) -> bool {
        // What a person has changed is not replaced in passing.
        let is_done =
            |outcome: &Rc<Outcome<B>>| outcome.model == model || outcome.mended_from.is_some();
        self.bytes.is_some() && !self.outcome.as_ref().is_some_and(is_done)
    }
}

/// Scans that are segmented one after the other.
#[derive(Debug)]
struct Queue {
    now: ListId,
    left: VecDeque<ListId>,
    num_done: usize,
    num_failed: usize,
}

impl<B: Clone> List<B> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            last: 0,
            entries: Vec::new(),
            current: None,
            queue: None,
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds scans; returns the first that can be opened.
    pub fn add(&mut self, scans: Vec<Brought<B>>) -> Option<ListId> {
        let mut first = None;
        for Brought { name, bytes, .. } in scans {
            let (bytes, problem) = match bytes {
                Ok(bytes) => (Some(bytes), None),
                Err(failure) => (None, Some(failure.what)),
            };
            let entry = self.entry(name, bytes, None, problem);
            if entry.bytes.is_some() {
                first.get_or_insert(entry.id);
            }
            self.entries.push(entry);
        }
        first
    }

    /// Adds those scans of a file that can be opened, in place of the file if it is in the list; returns the first.
    pub fn add_all_of(&mut self, file: &File<B>, offers: &[ScanOffer]) -> Option<ListId> {
        let usable = offers.iter().filter(|offer| offer.problem.is_none());
        let volumes = usable.map(|offer| (offer, 0)).collect();
        let ids = self.put(file, volumes, offers.len());
        ids.first().copied()
    }

    /// Adds all volumes of a scan of a file likewise; returns them in order.
    pub fn add_volumes_of(&mut self, file: &File<B>, offer: &ScanOffer) -> Vec<ListId> {
        let volumes = 0..offer.num_volumes;
        self.put(file, volumes.map(|volume| (offer, volume)).collect(), 1)
    }

    /// Puts volumes of scans in the place of their file, which holds so many scans.
    fn put(
        &mut self,
        file: &File<B>,
        volumes: Vec<(&ScanOffer, usize)>,
        offers: usize,
    ) -> Vec<ListId> {
        let is_file = |entry: &Entry<B>| Some(entry.id) == file.entry;
        let place = self.entries.iter().position(is_file);
        let place = place.inspect(|&place| drop(self.entries.remove(place)));
        let is_only = offers == 1;
        let entries: Vec<Entry<B>> = volumes
            .into_iter()
            .map(|(offer, volume)| {
                let name = words::offered(&file.name, offer, volume, is_only);
                let index = offer.index;
                let choice = Some(ScanChoice { index, volume });
                self.entry(name, Some(file.bytes.clone()), choice, None)
            })
            .collect();
        let ids: Vec<ListId> = entries.iter().map(|entry| entry.id).collect();
        if let (Some(queue), Some((first, others))) = (self.queue_at(file.entry), ids.split_first())
        {
            queue.now = *first;
            others
                .iter()
                .rev()
                .for_each(|id| queue.left.push_front(*id));
        }
        let place = place.unwrap_or(self.entries.len());
        self.entries.splice(place..place, entries);
        ids
    }

    fn entry(
        &mut self,
        name: String,
        bytes: Option<B>,
        choice: Option<ScanChoice>,
        problem: Option<String>,
    ) -> Entry<B> {
        self.last += 1;
        Entry {
            id: self.last,
            name,
            bytes,
            choice,
            outcome: None,
            problem,
        }
    }

    /// Takes a scan into the list that was by itself, with its result if there is one, so that another one can be shown.
    pub fn take_in(&mut self, scan: &Scan<B>, outcome: Option<Rc<Outcome<B>>>) {
        let mut entry = self.entry(
            scan.name.clone(),
            Some(scan.bytes.clone()),
            scan.choice,
            None,
        );
        entry.outcome = outcome;
        self.entries.insert(0, entry);
    }

    /// Takes a scan into the list that has just been read; returns its number.
    pub fn take_in_read(&mut self, name: String, bytes: B, choice: Option<ScanChoice>) -> ListId {
        let entry = self.entry(name, Some(bytes), choice, None);
        let id = entry.id;
        self.entries.push(entry);
        id
    }

    /// Whether a person has changed the result of a scan.
    pub fn is_mended(&self, id: ListId) -> bool {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        let outcome = entry.and_then(|entry| entry.outcome.as_ref());
        outcome.is_some_and(|outcome| outcome.mended_from.is_some())
    }

    /// Takes a scan and its result away; returns the one to show in its place if it was on screen and there is one.
    pub fn remove(&mut self, id: ListId) -> Option<ListId> {
        let place = self.entries.iter().position(|entry| entry.id == id)?;
        self.entries.remove(place);
        if let Some(queue) = &mut self.queue {
            queue.left.retain(|left| *left != id);
        }
        self.current.take_if(|current| *current == id)?;
        let after = self.entries[place..].iter();
        let next = after.chain(self.entries[..place].iter().rev());
        next.clone()
            .find(|entry| entry.bytes.is_some())
            .map(|entry| entry.id)
    }

    /// The file of a scan, to be read.
    pub fn file(&self, id: ListId) -> Option<File<B>> {
        let entry = self.entries.iter().find(|entry| entry.id == id)?;
        Some(File {
            name: entry.name.clone(),
            bytes: entry.bytes.clone()?,
            choice: entry.choice,
            offers: None,
            entry: Some(id),
        })
    }

    /// A scan of the list, or of none, is on screen; returns its result.
    pub fn opened(
        &mut self,
        id: Option<ListId>,
        choice: Option<ScanChoice>,
        name: &str,
    ) -> Option<Rc<Outcome<B>>> {
        self.current = id;
        let entry = self.entry_mut(id)?;
        name.clone_into(&mut entry.name);
        entry.problem = None;
        entry.choice = choice;
        entry.outcome.clone()
    }

    /// The scan on screen has this result.
    pub fn keep(&mut self, outcome: &Rc<Outcome<B>>) {
        if let Some(entry) = self.entry_mut(self.current) {
            entry.problem = None;
            entry.outcome = Some(Rc::clone(outcome));
        }
    }

    /// Something is wrong with a scan; a result that it has stays.
    pub fn fail(&mut self, id: Option<ListId>, problem: &str) {
        if let Some(entry) = self.entry_mut(id) {
            entry.problem = Some(problem.to_owned());
        }
        if let Some(queue) = self.queue_at(id) {
            queue.num_failed += 1;
        }
    }

    fn entry_mut(&mut self, id: Option<ListId>) -> Option<&mut Entry<B>> {
        self.entries.iter_mut().find(|entry| Some(entry.id) == id)
    }

    /// The scan on screen, if it is of the list.
    pub fn current(&self) -> Option<ListId> {
        self.current
    }

    /// The first scan of which nothing is known yet.
    pub fn first_unopened(&self) -> Option<ListId> {
        let is_unopened = |entry: &&Entry<B>| {
            entry.problem.is_none() && entry.outcome.is_none() && entry.bytes.is_some()
        };
        self.entries.iter().find(is_unopened).map(|entry| entry.id)
    }

    /// The scans that can be opened, by their names.
    pub fn names(&self) -> Vec<(ListId, String)> {
        let files = self.entries.iter().filter(|entry| entry.bytes.is_some());
        files.map(|entry| (entry.id, entry.name.clone())).collect()
    }

    /// All results, in the list's order.
    pub fn results(&self) -> Vec<Rc<Outcome<B>>> {
        let outcomes = self.entries.iter();
        outcomes.filter_map(|entry| entry.outcome.clone()).collect()
    }

    /// All that have not been segmented with that model are now to be.
    pub fn line_up(&mut self, model: &str) {
        let wanted = self.entries.iter_mut().filter(|entry| entry.wants(model));
        let mut left: VecDeque<ListId> = wanted
            .map(|entry| {
                entry.problem = None;
                entry.id
            })
            .collect();
        self.queue = left.pop_front().map(|now| Queue {
            now,
            left,
            num_done: 0,
            num_failed: 0,
        });
    }

    /// The scan whose turn it is.
    pub fn under_way(&self) -> Option<ListId> {
        self.queue.as_ref().map(|queue| queue.now)
    }

    fn queue_at(&mut self, id: Option<ListId>) -> Option<&mut Queue> {
        self.queue.as_mut().filter(|queue| Some(queue.now) == id)
    }

    /// The turn of a scan is over; returns how many have had theirs, and how many of them failed, if it was the last.
    pub fn advance(&mut self) -> Option<(usize, usize)> {
        let queue = self.queue.as_mut()?;
        queue.num_done += 1;
        match queue.left.pop_front() {
            Some(next) => {
                queue.now = next;
                None
            }
            None => self
                .queue
                .take()
                .map(|queue| (queue.num_done, queue.num_failed)),
        }
    }

    /// Nothing more is to be segmented; returns whether something was.
    pub fn stop(&mut self) -> bool {
        self.queue.take().is_some()
    }

    /// Which of how many has its turn, from 1.
    pub fn place(&self) -> Option<(usize, usize)> {
        let queue = self.queue.as_ref()?;
        let now = queue.num_done + 1;
        Some((now, now + queue.left.len()))
    }

    /// What the page shows of it; `working` is the scan that is read or segmented.
    pub fn shown(&self, working: Option<ListId>, model: &str) -> Vec<Listed> {
        let listed = |entry: &Entry<B>| Listed {
            id: entry.id,
            name: entry.name.clone(),
            state: match (&entry.problem, &entry.outcome) {
                _ if working == Some(entry.id) => ListedState::Working,
                (Some(problem), _) => ListedState::Failed(problem.clone()),
                (None, Some(outcome)) => {
                    let found = words::found(&outcome.labels, &outcome.statistics);
                    let found = match &outcome.mended_from {
                        Some(_) => list::changed_by_hand(&found),
                        None => found,
                    };
                    ListedState::Done(match outcome.warnings.is_empty() {
                        true => found,
                        false => list::with_warnings(&found),
                    })
                }
                (None, None) => ListedState::Waiting,
            },
            is_on_screen: self.current == Some(entry.id),
            is_wanted: entry.wants(model),
            has_result: entry.outcome.is_some(),
            has_warnings: entry
                .outcome
                .as_ref()
                .is_some_and(|outcome| !outcome.warnings.is_empty()),
        };
        self.entries.iter().map(listed).collect()
    }
}
