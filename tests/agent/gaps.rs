//! What a Prometheus would find that started in the middle of a change: whatever stays is there at
//! every instant, and no number is missing or there twice that is not so before or after.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::directory::{everything, folder, run};

/// A folder of numbered files, and a number of it.
type Number = (PathBuf, u64);

#[derive(Default)]
pub struct Between {
    /// Paths that are there before and after.
    stay: BTreeSet<PathBuf>,
    missing: BTreeSet<Number>,
    twice: BTreeSet<Number>,
}

fn names(root: &Path) -> BTreeSet<PathBuf> {
    let ours = |path: &PathBuf| {
        let first = path.iter().next().expect("a name").to_string_lossy().into_owned();
        first.starts_with("prom-fix-") || first == "lock"
    };
    everything(root).into_keys().filter(|path| !ours(path)).collect()
}

/// Numbers that are missing between the first and the last of a folder, and those that are twice.
fn numbers(names: &BTreeSet<PathBuf>) -> (BTreeSet<Number>, BTreeSet<Number>) {
    let mut folders: BTreeMap<&Path, Vec<u64>> = BTreeMap::new();
    for path in names {
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let folder = path.parent().expect("below the root");
        if let Some(number) = number {
            folders.entry(folder).or_default().push(number);
        }
    }
    let (mut missing, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for (folder, mut numbers) in folders {
        numbers.sort_unstable();
        for pair in numbers.windows(2) {
            missing.extend((pair[0] + 1..pair[1]).map(|number| (folder.to_owned(), number)));
            if pair[0] == pair[1] {
                twice.insert((folder.to_owned(), pair[0]));
            }
        }
    }
    (missing, twice)
}

impl Between {
    /// What a run that nothing disturbs begins with and ends with.
    pub fn of(words: &[&str], begin: impl Fn(&Path)) -> Between {
        let folder = folder();
        let root = folder.path();
        begin(root);
        let before = names(root);
        run(words, root, 0);
        let after = names(root);
        let mut between = Between::default();
        for state in [&before, &after] {
            let (missing, twice) = numbers(state);
            between.missing.extend(missing);
            between.twice.extend(twice);
        }
        between.stay = before.intersection(&after).cloned().collect();
        assert!(!between.stay.is_empty());
        between
    }

    /// How many paths are to be there at every instant.
    pub fn stays(&self) -> usize {
        self.stay.len()
    }

    /// On a file system that can swap two files at once; where it cannot, one goes before the other
    /// comes.
    pub fn check(&self, root: &Path, why: &str) {
        let now = names(root);
        let gone: Vec<&PathBuf> = self.stay.difference(&now).collect();
        let (missing, twice) = numbers(&now);
        let missing: Vec<&Number> = missing.difference(&self.missing).collect();
        let twice: Vec<&Number> = twice.difference(&self.twice).collect();
        assert!(
            gone.is_empty() && missing.is_empty() && twice.is_empty(),
            "{why}: gone {gone:?}, missing {missing:?}, twice {twice:?}"
        );
    }
}
