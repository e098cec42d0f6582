//! What a model's path leads to, and what is known of it before it is in memory.

use std::path::Path;

use super::{vectors, Source};
use crate::decoder::DecoderError;
use crate::file::ModelFile;
use crate::folder::{talker, ModelFolder};
use crate::template::Template;
use crate::text::Tokenizer;

/// A model whose files were opened and looked at.
pub(super) enum Opened {
    Decoder(Talker),
    Encoder(ModelFolder),
}

/// A model that answers.
pub(super) struct Talker {
    pub(super) file: ModelFile,
    /// Where it came from, if that is a folder.
    folder: Option<ModelFolder>,
}

impl Source {
    pub(super) fn open(&self) -> Result<Opened, DecoderError> {
        let file = match self {
            Source::Path(path) if ModelFolder::is_meant(path) => return Opened::of_folder(ModelFolder::open(path)?),
            Source::Path(path) => ModelFile::open(path)?,
            Source::Bytes(bytes) => ModelFile::from_bytes(bytes.clone())?,
        };
        Ok(Opened::Decoder(Talker { file, folder: None }))
    }
}

impl Opened {
    fn of_folder(mut folder: ModelFolder) -> Result<Opened, DecoderError> {
        if folder.model_type()?.is_some_and(|kind| talker::is_known(&kind)) {
            let file = folder.take_decoder_file()?;
            return Ok(Opened::Decoder(Talker { file, folder: Some(folder) }));
        }
        Ok(Opened::Encoder(folder))
    }
}

impl Talker {
    pub(super) fn tokenizer(&self) -> Result<Tokenizer, DecoderError> {
        match &self.folder {
            Some(folder) => folder.tokenizer(),
            None => Ok(Tokenizer::from_gguf(&self.file)?),
        }
    }

    pub(super) fn template(&self, tokenizer: &Tokenizer) -> Result<Template, String> {
        let of_folder = match &self.folder {
            Some(folder) => folder.chat_template().map_err(|error| error.to_string())?,
            None => None,
        };
        let of_file = self.file.metadata().opt_str("tokenizer.chat_template").map_err(|error| error.to_string())?;
        Template::from_source(of_folder.as_deref().or(of_file), tokenizer).map_err(|error| error.to_string())
    }
}

/// Whether there is a model at `path`, so that a wrong path is found before the first request.
pub fn look(path: &Path) -> Result<(), String> {
    let looked = Source::Path(path.to_owned()).open().and_then(|opened| match opened {
        Opened::Encoder(folder) => vectors::look(&folder),
        Opened::Decoder(Talker { folder: Some(folder), .. }) => Ok(folder.tokenizer_json().map(drop)?),
        Opened::Decoder(Talker { folder: None, .. }) => Ok(()),
    });
    looked.map_err(|error| error.to_string())
}
