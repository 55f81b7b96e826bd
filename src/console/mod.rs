//! The terminal program: a model, a pure update, a pure view, and effects as values run at the edge.
