# shellcheck shell=bash
# The browser that the report's tests look with, from Debian's packages, where it is missing.
if command -v chromium >/dev/null || [ -x /usr/bin/chromium ]; then
  :
elif ! command -v apt-get >/dev/null; then
  echo "the report's tests need Chromium, and there is no apt-get to install it with: install it by hand" >&2
  exit 1
elif [ "$(id -u)" -ne 0 ]; then
  echo "the report's tests need Chromium: as root, apt-get install chromium fonts-liberation" >&2
  exit 1
else
  echo "installing Chromium and fonts for the report's tests"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fonts-liberation fonts-dejavu-core >/dev/null
fi
