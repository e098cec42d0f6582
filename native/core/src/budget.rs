//! Token pools with guards, spent from leases.
