"""Small changes of the code that decides who sees what, who owns it and what was changed; tests must notice each."""
