"""Plans: what a build would bring and take, from a few searches and a miniature of the build."""
