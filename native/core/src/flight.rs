//! Single flight: equal requests in flight share one upstream call.
