"""embedforge where users of other packages expect it; each module imports its package when it is imported."""
