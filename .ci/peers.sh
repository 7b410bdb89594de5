# Other projects' software that tests and benchmarks compare against: locked versions, hash-checked, cached
# outside the clone. Sourced by .ci/run; each file in .ci/peers.d then prepares one peer or service.

cache=${PRATIQUE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pratique-ci}
mkdir -p "$cache"

# python_peer NAME LOCK: print the interpreter of a virtual environment with what the lock file names
python_peer() {
  local folder
  folder="$cache/$1-$(sha256sum "$2" | cut -c1-16)"
  if [ ! -e "$folder/.ready" ]; then
    "${PYTHON:-python3}" -m venv --clear "$folder" >&2
    .venv/bin/python -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check --only-binary :all: \
      --require-hashes -r "$2" >&2
    touch "$folder/.ready"
  fi
  echo "$folder/bin/python"
}

# node_peer FOLDER: print a folder with the node_modules that FOLDER's package-lock.json names
node_peer() {
  local folder
  folder="$cache/node-$(sha256sum "$1/package-lock.json" | cut -c1-16)"
  if [ ! -e "$folder/.ready" ]; then
    mkdir -p "$folder"
    cp "$1"/package*.json "$folder"
    npm ci --silent --force --ignore-scripts --prefix "$folder" >&2 # --force: peers ask for a newer Node than they need
    touch "$folder/.ready"
  fi
  echo "$folder"
}

# go_peer NAME PACKAGE: print the program built from PACKAGE in requirements/go/NAME, with its go.mod and go.sum
go_peer() {
  local source="requirements/go/$1" program
  program="$cache/go-$(cat "$source"/* | sha256sum | cut -c1-16)/$(basename "$2")"
  if [ ! -e "$program" ]; then
    (cd "$source" && GOTOOLCHAIN=local go build -mod=readonly -trimpath -o "$program.new" "$2") >&2
    mv "$program.new" "$program"
  fi
  echo "$program"
}
