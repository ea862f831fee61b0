"""Commands: parse, call the library, show its report."""
