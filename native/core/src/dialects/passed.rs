//! The endpoints whose requests pass as they are: their paths, who serves them, and what their bodies are. As data.

/// What a provider may offer beside chat, completions and embeddings: the word in rows, metrics and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Is a text harmful?
    Moderations,
    /// Which documents fit a query?
    Rerank,
    /// Pictures, made or changed.
    Images,
    /// Text to audio.
    Speech,
    /// Audio to its text.
    Transcriptions,
    /// Audio to English text.
    Translations,
    /// Files kept by the provider.
    Files,
    /// Models fetched and thrown away by an Ollama server.
    ModelFiles,
    /// Responses kept by the provider, where its dialect has them.
    Responses,
}

impl Service {
    /// Every one, in the order of the bits of [`Services`].
    pub const ALL: &'static [Service] = &[
        Service::Moderations,
        Service::Rerank,
        Service::Images,
        Service::Speech,
        Service::Transcriptions,
        Service::Translations,
        Service::Files,
        Service::ModelFiles,
        Service::Responses,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Service::Moderations => "moderations",
            Service::Rerank => "rerank",
            Service::Images => "images",
            Service::Speech => "speech",
            Service::Transcriptions => "transcriptions",
            Service::Translations => "translations",
            Service::Files => "files",
            Service::ModelFiles => "model_files",
            Service::Responses => "responses",
        }
    }
}

/// A set of services, by provider type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Services(u16);

impl Services {
    /// No service.
    pub const NONE: Services = Services(0);
    /// Every service that goes by the type; responses go by the dialect.
    pub const ALL: Services = Services(0xff);

    /// These services.
    pub const fn of(services: &[Service]) -> Services {
        let (mut bits, mut at) = (0, 0);
        while at < services.len() {
            bits |= 1 << services[at] as u16;
            at += 1;
        }
        Services(bits)
    }

    /// Each of them.
    pub fn all(self) -> impl Iterator<Item = Service> {
        Service::ALL.iter().copied().filter(move |service| self.has(*service))
    }

    /// Whether `service` is among them.
    pub const fn has(self, service: Service) -> bool {
        self.0 & (1 << service as u16) != 0
    }
}

/// One path of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passed {
    /// `/v1/moderations`
    Moderations,
    /// `/v1/rerank`
    Rerank,
    /// `/v2/rerank`
    RerankV2,
    /// `/v1/images/generations`
    ImageGenerations,
    /// `/v1/images/edits`
    ImageEdits,
    /// `/v1/images/variations`
    ImageVariations,
    /// `/v1/audio/speech`
    Speech,
    /// `/v1/audio/transcriptions`
    Transcriptions,
    /// `/v1/audio/translations`
    Translations,
    /// `/v1/files`
    Files,
    /// `/v1/files/{id}`
    File,
    /// `/v1/files/{id}/content`
    FileContent,
    /// `/api/pull`
    Pull,
    /// `/api/delete`
    DeleteModel,
    /// `/v1/responses/{id}`
    Response,
    /// `/v1/responses/{id}/input_items`
    ResponseItems,
    /// `/v1/responses/{id}/cancel`
    CancelResponse,
}

/// What the body of a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No body.
    Nothing,
    /// `application/json`.
    Json,
    /// `multipart/form-data`.
    Form,
    /// Either.
    JsonOrForm,
}

/// Whether a request names a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// It must.
    Model,
    /// It may; without, its provider has a default.
    MaybeModel,
    /// There is none: whatever stands in the body is the provider's.
    Nothing,
}

impl Passed {
    /// What `path` names, and the id of a file in it.
    pub fn of(path: &str) -> Option<(Passed, Option<&str>)> {
        let passed = match path {
            "/v1/moderations" => Passed::Moderations,
            "/v1/rerank" => Passed::Rerank,
            "/v2/rerank" => Passed::RerankV2,
            "/v1/images/generations" => Passed::ImageGenerations,
            "/v1/images/edits" => Passed::ImageEdits,
            "/v1/images/variations" => Passed::ImageVariations,
            "/v1/audio/speech" => Passed::Speech,
            "/v1/audio/transcriptions" => Passed::Transcriptions,
            "/v1/audio/translations" => Passed::Translations,
            "/v1/files" => Passed::Files,
            "/api/pull" => Passed::Pull,
            "/api/delete" => Passed::DeleteModel,
            _ => {
                let id = path.strip_prefix("/v1/files/")?;
                let (id, passed) = match id.strip_suffix("/content") {
                    Some(id) => (id, Passed::FileContent),
                    None => (id, Passed::File),
                };
                return is_id(id).then_some((passed, Some(id)));
            }
        };
        Some((passed, None))
    }

    /// Whose path it is.
    pub const fn service(self) -> Service {
        match self {
            Passed::Moderations => Service::Moderations,
            Passed::Rerank | Passed::RerankV2 => Service::Rerank,
            Passed::ImageGenerations | Passed::ImageEdits | Passed::ImageVariations => Service::Images,
            Passed::Speech => Service::Speech,
            Passed::Transcriptions => Service::Transcriptions,
            Passed::Translations => Service::Translations,
            Passed::Files | Passed::File | Passed::FileContent => Service::Files,
            Passed::Pull | Passed::DeleteModel => Service::ModelFiles,
            Passed::Response | Passed::ResponseItems | Passed::CancelResponse => Service::Responses,
        }
    }

    /// For the header `allow`.
    pub const fn allow(self) -> &'static str {
        match self {
            Passed::Files => "GET, POST",
            Passed::File => "GET, DELETE",
            Passed::Response => "GET, HEAD, DELETE",
            Passed::FileContent => "GET",
            Passed::ResponseItems => "GET, HEAD",
            Passed::DeleteModel => "DELETE",
            _ => "POST",
        }
    }

    /// What a request of `method` carries.
    pub fn takes(self, method: &str) -> Takes {
        match self {
            Passed::DeleteModel => Takes::Json,
            Passed::CancelResponse => Takes::Nothing,
            _ if method != "POST" => Takes::Nothing,
            Passed::ImageEdits | Passed::ImageVariations => Takes::JsonOrForm,
            Passed::Transcriptions | Passed::Translations | Passed::Files => Takes::Form,
            _ => Takes::Json,
        }
    }

    /// Whether its requests name a model.
    pub const fn names(self) -> Names {
        match self.service() {
            Service::Files | Service::Responses => Names::Nothing,
            Service::Moderations | Service::Images => Names::MaybeModel,
            _ => Names::Model,
        }
    }

    /// Whether an answer of 2xx passes as it comes, whatever it is: audio, what a file holds, how far a pull is.
    pub const fn is_raw(self) -> bool {
        matches!(self, Passed::Speech | Passed::FileContent | Passed::Pull | Passed::DeleteModel)
    }

    /// Its path here, with `{id}` for a file's.
    pub const fn path(self) -> &'static str {
        match self {
            Passed::Moderations => "/v1/moderations",
            Passed::Rerank => "/v1/rerank",
            Passed::RerankV2 => "/v2/rerank",
            Passed::ImageGenerations => "/v1/images/generations",
            Passed::ImageEdits => "/v1/images/edits",
            Passed::ImageVariations => "/v1/images/variations",
            Passed::Speech => "/v1/audio/speech",
            Passed::Transcriptions => "/v1/audio/transcriptions",
            Passed::Translations => "/v1/audio/translations",
            Passed::Files => "/v1/files",
            Passed::File => "/v1/files/{id}",
            Passed::FileContent => "/v1/files/{id}/content",
            Passed::Pull => "/api/pull",
            Passed::DeleteModel => "/api/delete",
            Passed::Response => "/v1/responses/{id}",
            Passed::ResponseItems => "/v1/responses/{id}/input_items",
            Passed::CancelResponse => "/v1/responses/{id}/cancel",
        }
    }

    /// Whether the provider reads its query.
    pub fn has_query(self, method: &str) -> bool {
        method == "GET" && matches!(self, Passed::Files | Passed::Response | Passed::ResponseItems)
    }

    /// The path at a provider whose base URL has `prefix`.
    pub fn target(self, prefix: &str, id: Option<&str>) -> String {
        let id = id.unwrap_or_default();
        match self {
            Passed::Moderations => format!("{prefix}/moderations"),
            Passed::Rerank => format!("{prefix}/rerank"),
            // The version is a part of the path at Cohere and at vLLM.
            Passed::RerankV2 => {
                let root = prefix.strip_suffix("/v1").or_else(|| prefix.strip_suffix("/v2")).unwrap_or(prefix);
                format!("{root}/v2/rerank")
            }
            Passed::ImageGenerations => format!("{prefix}/images/generations"),
            Passed::ImageEdits => format!("{prefix}/images/edits"),
            Passed::ImageVariations => format!("{prefix}/images/variations"),
            Passed::Speech => format!("{prefix}/audio/speech"),
            Passed::Transcriptions => format!("{prefix}/audio/transcriptions"),
            Passed::Translations => format!("{prefix}/audio/translations"),
            Passed::Files => format!("{prefix}/files"),
            Passed::File => format!("{prefix}/files/{id}"),
            Passed::FileContent => format!("{prefix}/files/{id}/content"),
            Passed::Pull => format!("{}/api/pull", root_of(prefix)),
            Passed::DeleteModel => format!("{}/api/delete", root_of(prefix)),
            Passed::Response => format!("{prefix}/responses/{id}"),
            Passed::ResponseItems => format!("{prefix}/responses/{id}/input_items"),
            Passed::CancelResponse => format!("{prefix}/responses/{id}/cancel"),
        }
    }
}

/// What stands before the paths of Ollama's own API, whichever of its two a provider is asked by.
fn root_of(prefix: &str) -> &str {
    prefix.strip_suffix("/v1").or_else(|| prefix.strip_suffix("/api")).unwrap_or(prefix)
}

/// Letters that mean themselves in every path; so an id cannot lead to another path.
pub fn is_id(id: &str) -> bool {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
    plain && (1..=256).contains(&id.len()) && id.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_no_other_path() {
        for path in ["/v1/files/", "/v1/files/..", "/v1/files/a/b", "/v1/files/a%2Fb", "/v1/files//content", "/v1/x"] {
            assert_eq!(Passed::of(path), None, "{path}");
        }
        assert_eq!(Passed::of("/v1/files/file-1.a"), Some((Passed::File, Some("file-1.a"))));
        assert_eq!(Passed::of("/v1/files/content"), Some((Passed::File, Some("content"))));
        assert_eq!(Passed::of("/v1/files/x/content"), Some((Passed::FileContent, Some("x"))));
    }

    #[test]
    fn the_second_rerank_has_its_version_in_the_path() {
        for prefix in ["", "/v1", "/v2"] {
            assert_eq!(Passed::RerankV2.target(prefix, None), "/v2/rerank", "{prefix}");
        }
        assert_eq!(Passed::Rerank.target("/openai/v1", None), "/openai/v1/rerank");
        assert_eq!(Passed::FileContent.target("/v1", Some("f")), "/v1/files/f/content");
    }

    #[test]
    fn a_set_has_what_it_was_made_of() {
        let some = Services::of(&[Service::Rerank, Service::Files]);
        let all: Vec<_> = Service::ALL.iter().filter(|service| some.has(**service)).collect();
        assert_eq!(all, [&Service::Rerank, &Service::Files]);
        assert!(Service::ALL.iter().all(|service| !Services::NONE.has(*service)));
        let by_type = Service::ALL.iter().filter(|service| Services::ALL.has(**service)).count();
        assert_eq!(by_type, Service::ALL.len() - 1, "responses go by the dialect");
    }
}
