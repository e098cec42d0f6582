//! Model files, vocabularies and chat templates as they are read. One program, so that it is linked once.

mod damage;
mod files;
mod folders;
mod forms;
mod gguf;
mod hostile_templates;
mod memory;
mod templates;
mod tokenizer_json;
mod tokens;
mod trust;
