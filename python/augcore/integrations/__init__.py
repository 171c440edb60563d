"""augcore inside other tools, a module for each."""
