#!/bin/sh
# Copyright The hostscope Authors
# SPDX-License-Identifier: Apache-2.0
#
# Boots Debian's kernel under qemu with batteries, an AC adapter, a thermal zone,
# a power meter, NVMe drives and an I²C sensor, reads them there, and compares
# with what sysfs says. Nothing is installed, and nothing of it stays behind but
# build/vm. On Debian, and as anybody:
#
#	apt-get install qemu-system-x86 acpica-tools busybox-static cpio kmod
#	make test-vm
set -eu
cd "$(dirname "$0")/../.."
out=build/vm
mkdir -p $out
cd $out

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*-amd64\).*/\1/p' | head -n 1)
[ -e "$kernel.deb" ] || { apt-get download "$kernel" && mv "$kernel"_*.deb "$kernel.deb"; }
version=${kernel#linux-image-}
if [ ! -e "root-$version" ]; then
	rm -rf unpacked
	dpkg-deb -x "$kernel.deb" unpacked
	[ -e unpacked/lib ] || ln -s usr/lib unpacked/lib
	depmod -b unpacked "$version"
	mv unpacked "root-$version"
fi

rm -rf initramfs
mkdir -p initramfs/bin initramfs/modules
cp /bin/busybox initramfs/bin/
cp ../../test/vm/init initramfs/init
n=100
for module in ac battery acpi_power_meter nvme i2c-dev i2c-stub lm75 uhid hid-generic; do
	modprobe -d "root-$version" -S "$version" --show-depends $module >depends
	while read -r line; do # insmod FILE [OPTION]…; the folder of all this may have any name
		path=${line##*/lib/modules/}
		path=${path%% *}
		name=$(basename "$path")
		if ! ls initramfs/modules | grep -q "^[0-9]*-$name\$"; then
			cp "root-$version/lib/modules/$path" "initramfs/modules/$n-$name"
			n=$((n + 1))
		fi
	done <depends
done
(cd ../.. && CGO_ENABLED=0 go test -c -tags vm -o $out/initramfs/guest ./test/vm)
(cd initramfs && find . | cpio -o -H newc --quiet) | gzip -1 >initramfs.gz

iasl -p ssdt ../../test/vm/ssdt.asl >iasl.log
for disk in 1 2; do truncate -s 16M disk$disk; done
timeout "${VM_TIMEOUT:-600}" qemu-system-x86_64 -machine q35,accel="${VM_ACCEL:-tcg}" -cpu max -m 512 -smp 1 -nographic -no-reboot \
	-kernel "root-$version/boot/vmlinuz-$version" -initrd initramfs.gz -append 'console=ttyS0 panic=-1 quiet' \
	-acpitable file=ssdt.aml \
	-drive file=disk1,if=none,format=raw,id=disk1 -device nvme,drive=disk1,serial=one,addr=0x5 \
	-drive file=disk2,if=none,format=raw,id=disk2 -device nvme,drive=disk2,serial=two,addr=0x6 \
	-nic none </dev/null | tr -d '\r' | tee console.log
grep -q '^guest: exit 0$' console.log
