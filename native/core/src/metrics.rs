//! Counters and histograms, rendered once for every form.
