//! `[server]` and `[[server.mounts]]`

use super::{Default, Key, Kind, Section, BYTES, PAUSE};

/// `[server]`
pub const SERVER: Section = Section {
    header: "[server]",
    keys: &[
        Key::new(
            "bind",
            Kind::Text,
            Default::Is("\"127.0.0.1\""),
            "Address to listen on. One that others can reach is refused while there are no tokens.",
        ),
        Key::new(
            "port",
            Kind::Integer { least: 0, most: 65_535 },
            Default::Is("8088"),
            "TCP port; 0 lets the system choose.",
        ),
        Key::new(
            "threads",
            Kind::Integer { least: 0, most: 256 },
            Default::Is("0"),
            "Threads that answer callers; 0: one for each core. Read at the start.",
        ),
        Key::new(
            "max_connections",
            Kind::Integer { least: 1, most: 1_000_000 },
            Default::Is("16_384"),
            "Callers' connections at once. Beyond it the one that is idle for the longest is closed, and where none is idle a new one gets 503.",
        ),
        Key::new(
            "max_connections_per_address",
            Kind::Integer { least: 0, most: 1_000_000 },
            Default::Is("0"),
            "The same of one address, where a new one gets 503. 0: no bound, as behind a proxy, whose address all have.",
        ),
        Key::new(
            "strategy",
            Kind::Word(&["priority", "round_robin", "lowest_latency", "direct"]),
            Default::Is("\"priority\""),
            "`priority`, `round_robin`, `lowest_latency` or `direct`.",
        ),
        Key::new("max_body_bytes", BYTES, Default::Is("33_554_432"), "Largest request body that is not streamed."),
        Key::new(
            "max_audio_bytes",
            BYTES,
            Default::Is("52_428_800"),
            "Largest upload of audio or images. It streams through, so that it is not held.",
        ),
        Key::new("max_file_bytes", BYTES, Default::Is("268_435_456"), "Largest upload of a file; streamed too."),
        Key::new(
            "max_buffered_bytes",
            BYTES,
            Default::Is("1_073_741_824"),
            "Largest sum of bodies and answers held at once; beyond it new work gets 503. At least `max_body_bytes`.",
        ),
        Key::new(
            "allowed_hosts",
            Kind::Texts,
            Default::Is("[]"),
            "Names under which it answers without keys, besides this machine's own and `bind`. `*`: any.",
        ),
        Key::new(
            "cors_origins",
            Kind::Texts,
            Default::Is("[]"),
            "Origins of web pages that may ask, such as `https://app.example`; `*`: any. Empty: none.",
        ),
        Key::new(
            "pass_request_headers",
            Kind::Texts,
            Default::Is("[]"),
            "Names of headers that are sent on from callers to providers.",
        ),
        Key::new(
            "pass_response_headers",
            Kind::Texts,
            Default::Is("[]"),
            "Names of headers that are given on from providers to callers.",
        ),
        Key::new(
            "keep_alive_secs",
            PAUSE,
            Default::Is("15"),
            "A stream that says nothing for so long gets a comment, for the sake of proxies in between. 0: never.",
        ),
        Key::new("early_start_secs", PAUSE, Default::Is("0"), "A stream that has no content for so long begins without it; what fails then is told by an event. 0: with its first content."),
        Key::new(
            "settle_secs",
            PAUSE,
            Default::Is("0"),
            "After SIGTERM, how long all is served as before while `/v1/health/ready` says 503.",
        ),
        Key::new(
            "drain_secs",
            PAUSE,
            Default::Is("30"),
            "Then, how long requests in progress may take; after that they end with `draining`.",
        ),
        Key::new(
            "mounts",
            Kind::Section,
            Default::None("none"),
            "ASGI applications that are served below a path beside the gateway, as tables of their own.",
        ),
    ],
};
/// `[[server.mounts]]`
pub const SERVER_MOUNTS: Section = Section {
    header: "[[server.mounts]]",
    keys: &[
        Key::new(
            "path",
            Kind::Text,
            Default::Required,
            "Where its paths begin, such as `/tools`. Not below `/v1`, `/v1beta`, `/v2`, `/api`, `/metrics`, `/health` or `/admin`.",
        ),
        Key::new(
            "app",
            Kind::Text,
            Default::Required,
            "The ASGI application, as `package.module:attribute`. Loaded at the start; it runs on trio.",
        ),
        Key::new(
            "public",
            Kind::Boolean,
            Default::Is("false"),
            "Whether it is reached without a key where `[auth]` has tokens.",
        ),
    ],
};
