//! The command line: one file per command. Everything the console can do, the command line can do too.
