# A bed for the commands of one page, read by a shell that has mount, network and process namespaces of its own. Its folder has
# the bin and examples of the project. `on alpha 'netloom status'` runs a command on a host, which has a
# network, a /run and a /var/lib of its own; all hosts are on one segment:
#
#   alpha 192.168.50.1 ──┐
#   beta  192.168.50.2 ──┼── bridge segment
#   gamma 192.168.50.3 ──┘
furnish() {
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t tmpfs -o mode=755 tmpfs /var/lib
  mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf
  ip link set lo up
  mkdir -p /run/page && cd /run/page || exit
  ln -s "$PROJECT/bin" "$PROJECT/examples" .
}

host() {
  local name=$1 address=$2
  [ -e "/run/bed/$name" ] && return
  [ -d /sys/class/net/segment ] || ip link add segment up type bridge
  mkdir -p /run/bed
  unshare --net --mount bash -c "$(declare -f furnish); exec 9>/run/bed/$name; furnish; echo \$\$ >&9; exec sleep infinity" &>/dev/null </dev/null &
  until [ -s "/run/bed/$name" ]; do sleep 0.05; done
  ip link add "$name" up master segment type veth peer name eth0 netns "$(cat "/run/bed/$name")"
  nsenter --target "$(cat "/run/bed/$name")" --net sh -c "ip address add $address/24 dev eth0 && ip link set eth0 up"
}

on() {
  case $1 in
  alpha) host alpha 192.168.50.1 ;;
  beta) host beta 192.168.50.2 ;;
  gamma) host gamma 192.168.50.3 ;;
  esac
  exec nsenter --target "$(cat "/run/bed/$1")" --net --mount bash -c "cd /run/page && $2"
}
export PATH=$PROJECT/bin:$PATH
furnish
