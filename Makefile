# The commands of a checkout. Each installs what it lacks, builds, and hands over to a script of tools/ or tests/.
#
#   make        build                        make test    build with sanitizers and run all tests
#   make run    an installation in var/      make bench   measure against limits and peers
#   make demo   a guided tour, by itself     make clean   remove build/ (var/ holds keys and stays)
#   make package   the agent's Debian package, in build/

PORT ?= 8443

all: release

release:
	@tools/install build run
	@tools/build release
	@tools/assets

run: release
	@tools/run --port $(PORT)

demo: release
	@tools/install test
	@tools/demo

test:
	@tools/install build run test
	@tests/run

bench: release
	@tools/install test bench
	@tools/bench

package: release
	@tools/package

clean:
	rm -rf build node_modules

.PHONY: all release run demo test bench package clean
