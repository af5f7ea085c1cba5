#!/bin/sh
# The inside of a lab host. `boot` is its pid 1; the other verbs start one daemon each, at boot and after a kill.
#
#   init.sh boot DISK CGROUP    from the machine: build the root, move into it, print the pid the machine sees
#   /lab/init containerd|dockerd|sshd      inside the host
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

build_root() {
    mount -t overlay lab -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    cd "$1/root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount --rbind /sys/fs/cgroup sys/fs/cgroup
    mount --rbind /dev dev
    mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts dev/pts
    mount -t tmpfs -o mode=1777 shm dev/shm
    mount -t tmpfs -o mode=755 run run
    mkdir run/sshd run/lock
    # Docker's overlay2 can not lie on an overlay.
    mount --bind "$1/docker" var/lib/docker
}

enter_root() {
    mkdir -p mnt/machine
    pivot_root . mnt/machine
    umount -l /mnt/machine
    rmdir /mnt/machine
}

case $1 in
    boot)
        # Before the host's own /proc is mounted, this one still counts in the machine's pids.
        read -r pid _ </proc/self/stat
        hostname "$3"
        build_root "$2"
        enter_root
        exec /lab/init serve "$pid"
        ;;
    serve)
        cd /
        # Daemons must not hold the pipe that `up` reads the pid from.
        /lab/init containerd >/dev/null
        /lab/init dockerd >/dev/null
        /lab/init sshd >/dev/null
        echo "$2"
        exec </dev/null >/dev/null 2>&1
        # dash reaps whatever is re-parented to it while it waits.
        while :; do
            sleep 86400 &
            wait $! || :
        done
        ;;
    containerd)
        # As dockerd would start it, but for how often it looks whether there is garbage: as often as that is quick,
        # which here is a hundred times a second, and a tenth of a processor for the hosts of a run that do nothing.
        mkdir -p /run/docker/containerd
        containerd --config /lab/containerd.toml </dev/null >>/var/log/containerd.log 2>&1 &
        until [ -S /run/docker/containerd/containerd.sock ]; do
            kill -0 $!
            sleep 0.005
        done
        ;;
    dockerd)
        dockerd --data-root /var/lib/docker --exec-root /run/docker --pidfile /run/docker.pid \
            --containerd /run/docker/containerd/containerd.sock \
            --host unix:///run/docker.sock --group docker --storage-driver overlay2 \
            --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(hostname)" \
            </dev/null >>/var/log/dockerd.log 2>&1 &
        ;;
    sshd)
        /usr/sbin/sshd -E /var/log/sshd.log </dev/null
        ;;
esac
