kubectl get pods -n $NS -l app=redis-session
kubectl describe pod -n $NS -l app=redis-session
kubectl logs -n $NS -l app=redis-session --tail=100
kubectl logs -n $NS -l app=redis-session --previous
kubectl get service redis-session -n $NS
kubectl get endpoints redis-session -n $NS
kubectl top pod -n $NS -l app=redis-session
kubectl exec -n $NS -it $(kubectl get pod -n $NS -l app=langgraph-agent -o jsonpath='{.items[0].metadata.name}') -- sh -c 'nc -zv redis-session 6379'
kubectl get pvc -n $NS | grep redis
kubectl describe pvc redis-data -n $NS
