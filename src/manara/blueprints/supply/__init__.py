"""The blueprint `supply`: a control tower for vaccines and medicines, from stock reports to indicators."""
