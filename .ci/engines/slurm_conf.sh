# The configuration files of slurm.sh. Sourced by it.

can_use_cgroups() { # v1 controllers that SLURM needs for true OUT_OF_MEMORY states
  local controller group
  [ "$POLLED" = 0 ] || return 1 # two SLURMs would share, and remove, one group named after the node
  [ ! -e /sys/fs/cgroup/cgroup.controllers ] || return 1
  for controller in freezer memory cpuacct; do
    group=/sys/fs/cgroup/$controller/harness-probe-$$
    mkdir "$group" 2>/dev/null && rmdir "$group" || return 1
  done
}

write_gres_conf() {
  # Character devices that behave like /dev/null: a bare count is refused by slurmd, plain files set no CUDA_VISIBLE_DEVICES
  local number
  mkdir -p "$HOME_OF_ENGINE/dev"
  for number in 0 1; do
    [ -c "$HOME_OF_ENGINE/dev/nvidia$number" ] || mknod -m 666 "$HOME_OF_ENGINE/dev/nvidia$number" c 1 3
  done
  cat >"$ETC/gres.conf" <<CONF
AutoDetect=off
NodeName=localhost Name=gpu Type=l40s File=$HOME_OF_ENGINE/dev/nvidia[0-1] Flags=nvidia_gpu_env
CONF
}

tracking() { # how SLURM follows and limits processes
  if can_use_cgroups; then
    printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainCores=no\nConstrainDevices=no\n' >"$ETC/cgroup.conf"
    printf 'ConstrainRAMSpace=yes\nConstrainSwapSpace=no\n' >>"$ETC/cgroup.conf"
    printf 'ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\nJobAcctGatherType=jobacct_gather/cgroup\n'
  else
    printf 'CgroupPlugin=cgroup/v1\nConstrainCores=no\n' >"$ETC/cgroup.conf"
    printf 'ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/linux\n'
    printf 'JobAcctGatherParams=OverMemoryKill\n'
  fi
}

accounting() {
  if [ "$ACCOUNTING" = 0 ]; then
    echo AccountingStorageType=accounting_storage/none
    return
  fi
  # AccountingStoragePass is the socket for slurmdbd; AuthInfo is not used for that connection
  cat <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$((PORT + 2))
AccountingStoragePass=$SOCKET
AccountingStorageTRES=gres/gpu
CONF
}

write_slurm_conf() {
  write_gres_conf
  # cred_expire: how long a requeued job waits, 120 s by default. config_overrides: more cores than there are.
  # EnforcePartLimits: what can never run is refused, and does not wait for ever.
  cat >"$SLURM_CONF" <<CONF
ClusterName=harness
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET,cred_expire=5
CredType=cred/munge
StateSaveLocation=$HOME_OF_ENGINE/spool/ctld
SlurmdSpoolDir=$HOME_OF_ENGINE/spool/d
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.log
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=256
GresTypes=gpu
JobAcctGatherFrequency=task=1
JobCompType=jobcomp/filetxt
JobCompLoc=$HOME_OF_ENGINE/jobcomp/jobcomp.log
EnforcePartLimits=ALL
JobRequeue=1
$(tracking)
$(accounting)
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname=$(hostname -s) CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS \
  ThreadsPerCore=1 RealMemory=$MEMORY_MB Gres=gpu:l40s:2 State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES DefaultTime=00:10:00 MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=localhost DefaultTime=00:10:00 MaxTime=1-00:00:00 State=UP
CONF
}

write_slurmdbd_conf() {
  (umask 077; cat >"$ETC/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$SOCKET
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 2))
SlurmUser=root
LogFile=$LOG/slurmdbd.log
PidFile=$RUN/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CONF
  )
}
