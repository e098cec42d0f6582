//! `--name value` and `--flag`, each of which some part of the program must ask for.

use std::str::FromStr;

pub struct Arguments(Vec<(String, Option<String>)>);

impl Arguments {
    /// A word that follows a name and does not begin with `--` is its value.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut pairs: Vec<(String, Option<String>)> = Vec::new();
        for word in words {
            match word.strip_prefix("--") {
                Some(name) => pairs.push((name.to_owned(), None)),
                None => match pairs.last_mut() {
                    Some((_, value @ None)) => *value = Some(word),
                    _ => return Err(format!("{word:?} belongs to no --name")),
                },
            }
        }
        Ok(Self(pairs))
    }

    pub fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).flatten()
    }

    /// Every value of a name that may be given several times.
    pub fn every(&mut self, name: &str) -> Vec<String> {
        std::iter::from_fn(|| self.text(name)).collect()
    }

    pub fn number<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        match self.take(name) {
            None => Ok(default),
            Some(value) => {
                let value = value.unwrap_or_default();
                value.parse().map_err(|_| format!("--{name} {value:?} is no number"))
            }
        }
    }

    /// To be called when all was asked for: what is left is a mistake.
    pub fn done(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("unknown argument --{name}")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Option<String>> {
        let at = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.remove(at).1)
    }
}
