#!/bin/sh
# Runs a command without some paths: a folder is empty to it, a file refuses to be opened (EACCES).
#
#     unshare --mount tests/machines/hide.sh PATH... -- COMMAND...
#
# As root, in a mount namespace of its own. /proc/self is the command's, which has this shell's number.
set -eu
while [ "$1" != -- ]; do
  case $1 in /proc/self/*) path=/proc/$$/${1#/proc/self/} ;; *) path=$1 ;; esac
  if [ -d "$path" ]; then
    mount -t tmpfs none "$path"
  else
    mount --bind /dev/null "$path"
    mount -o remount,bind,nodev "$path"  # a device that may not be opened
  fi
  shift
done
shift
exec "$@"
