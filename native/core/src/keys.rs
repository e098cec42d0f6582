//! Who may call: keys, compared by hash.
