//! Events of a stream as they go over the wire.

use crate::json::Writer;

/// One event; its JSON has no line ends.
pub(super) fn write(out: &mut Vec<u8>, name: &str, json: Writer) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(&json.into_bytes());
    out.extend_from_slice(b"\n\n");
}

/// A block begins; `block` writes its members.
pub(super) fn start_block(index: u64, block: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
    let mut json = Writer::with_capacity(128);
    json.open_object().text_member("type", "content_block_start").key("index").integer(index);
    json.key("content_block").open_object();
    block(&mut json);
    json.close_object().close_object();
    write(out, "content_block_start", json);
}

/// A piece of a block; `piece` writes what it says.
pub(super) fn delta(index: u64, kind: &str, piece: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
    let mut json = Writer::with_capacity(160);
    json.open_object().text_member("type", "content_block_delta").key("index").integer(index);
    json.key("delta").open_object().text_member("type", kind);
    piece(&mut json);
    json.close_object().close_object();
    write(out, "content_block_delta", json);
}

/// A block is complete.
pub(super) fn stop_block(index: u64, out: &mut Vec<u8>) {
    let mut json = Writer::with_capacity(48);
    json.open_object().text_member("type", "content_block_stop").key("index").integer(index);
    json.close_object();
    write(out, "content_block_stop", json);
}
